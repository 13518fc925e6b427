import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type BlobInfo, type BlobName, BlobStore, type ListedBlob, type LocalBlob, type StagedBlob } from './blob-store.port';
import { BlobMissing, SourceTooLarge } from './storage.errors';

const FOLDER = join(tmpdir(), 'analytics-api-memory');

/** For tests: nothing lasts. What an engine or an import needs as a file is a temporary one. */
export class MemoryBlobStore extends BlobStore {
  private readonly blobs = new Map<BlobName, { readonly content: Buffer; readonly writtenAt: number }>();
  private readonly files = new Set<string>();

  async stage(source: AsyncIterable<Uint8Array>, maxBytes: number): Promise<StagedBlob> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of source) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw new SourceTooLarge(maxBytes);
      chunks.push(chunk);
    }
    const content = Buffer.concat(chunks);
    const file = await this.temporaryFile(content);
    return { digest: createHash('sha256').update(content).digest('hex'), bytes, path: file.path, discard: () => file.release() };
  }

  async put(staged: StagedBlob, name: BlobName = staged.digest): Promise<BlobInfo> {
    this.blobs.set(name, { content: await readFile(staged.path), writtenAt: Date.now() });
    return { name, bytes: staged.bytes };
  }

  async retain(name: BlobName): Promise<StagedBlob> {
    const content = this.find(name);
    if (!(await this.verify(name))) throw new BlobMissing(name);
    return this.stage(Readable.from([content]), content.length);
  }

  async open(name: BlobName): Promise<Readable> {
    return Readable.from([this.find(name)]);
  }

  async *read(name: BlobName): AsyncIterable<Uint8Array> {
    yield Buffer.from(this.find(name));
  }

  async local(name: BlobName): Promise<LocalBlob> {
    return this.temporaryFile(this.find(name));
  }

  async *list(): AsyncIterable<ListedBlob> {
    const inOrder = [...this.blobs].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [name, { content, writtenAt }] of inOrder) yield { name, bytes: content.length, writtenAt };
  }

  async quarantine(name: BlobName): Promise<void> {
    this.find(name);
    this.blobs.delete(name);
  }

  async remove(name: BlobName): Promise<void> {
    this.blobs.delete(name);
  }

  /** Takes away the temporary files that nobody has released. */
  async dispose(): Promise<void> {
    await Promise.all([...this.files].map((path) => rm(path, { force: true })));
  }

  private async temporaryFile(bytes: Buffer): Promise<LocalBlob> {
    await mkdir(FOLDER, { recursive: true });
    const path = join(FOLDER, randomUUID());
    this.files.add(path);
    await writeFile(path, bytes);
    return { path, release: () => rm(path, { force: true }) };
  }

  private find(name: BlobName): Buffer {
    const blob = this.blobs.get(name);
    if (blob === undefined) throw new BlobMissing(name);
    return blob.content;
  }
}
