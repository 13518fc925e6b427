import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import canonicalize from 'canonicalize';
import { hasCode } from '../errors/has-code';
import type { DurableFiles } from './durable-files';
import type { Checkpoint } from './event-log.port';
import { hashOf } from './stored-event';

/** The form of these files; a newer service that needs another says another number, and this one passes its files over. */
const SCHEMA = 1;
const KEPT = 2;
const NAME = /^[0-9]{20}\.json$/;

/** Checkpoints as files, `checkpoints/<20 digits>.json`, with the SHA-256 of what they say: a flipped bit must not become a fact. */
export class CheckpointFiles {
  private readonly folder: string;

  constructor(private readonly files: DurableFiles) {
    this.folder = join(files.root, 'checkpoints');
  }

  /** Writes one, and takes away all but the newest ones. */
  async save(checkpoint: Checkpoint): Promise<void> {
    await this.write(checkpoint);
    // those of a later place are another process's, or of no history at all: the good ones must not make room for them
    const earlier = (await this.names()).filter((name) => Number(name.slice(0, 20)) <= checkpoint.position.seq);
    for (const name of earlier.slice(KEPT)) await rm(join(this.folder, name), { force: true });
  }

  /** Writes one and takes nothing away, but for a damaged one whose number it has. */
  async write({ position, state }: Checkpoint): Promise<void> {
    const sha256 = sumOf({ position, state });
    const staged = await this.files.writeStaged(Buffer.from(canonicalize({ schema: SCHEMA, position, sha256, state }) as string));
    try {
      // one that is taken says the same, or is damaged: then a good one takes its place
      const path = join(this.folder, `${String(position.seq).padStart(20, '0')}.json`);
      if (!(await this.files.claim(staged, path))) await this.files.replace(staged, path);
      await this.files.flushFolder(this.folder);
    } finally {
      await rm(staged, { force: true });
    }
  }

  /** Those that are whole, the newest first. */
  async *newestFirst(): AsyncIterable<Checkpoint> {
    for (const name of await this.names()) {
      const checkpoint = await this.open(join(this.folder, name));
      if (checkpoint !== undefined) yield checkpoint;
    }
  }

  private async names(): Promise<readonly string[]> {
    try {
      const entries = await readdir(this.folder, { withFileTypes: true });
      const names = entries.filter((entry) => entry.isFile() && NAME.test(entry.name)).map(({ name }) => name);
      return names.sort().reverse();
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
      throw error;
    }
  }

  /** Anything that is not a good checkpoint is as good as none. */
  private async open(path: string): Promise<Checkpoint | undefined> {
    try {
      const { schema, position, sha256, state } = JSON.parse(await readFile(path, 'utf8')) as Checkpoint & {
        schema: number;
        sha256: string;
      };
      return schema === SCHEMA && sumOf({ position, state }) === sha256 ? { position, state } : undefined;
    } catch {
      return undefined;
    }
  }
}

function sumOf(checkpoint: Checkpoint): string {
  return hashOf(canonicalize(checkpoint) as string);
}
