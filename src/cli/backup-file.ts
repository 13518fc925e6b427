import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { access, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { bytesText } from './amounts';
import { type BackupOptions, BackupPlace, outcome } from './backup-place';
import { EXIT, WrongUsage } from './command';
import type { Call } from './command-frame';

/** What `backup export` was asked for. */
export interface ExportOptions extends BackupOptions {
  readonly output?: string;
}

/** What left, and what it comes to. */
interface Sum {
  readonly sha256: string;
  readonly bytes: number;
}

const STANDARD_OUTPUT = '-';

/** Writes a snapshot as one archive: into a file, which is there whole or not at all, or to standard output. */
export async function exportSnapshot(call: Call<ExportOptions>): Promise<number> {
  const { options, output, operands, signal } = call;
  const place = new BackupPlace(call);
  const { id } = await place.snapshot(operands[0] as string);
  const target = options.output ?? `${id}.tar.gz`;
  const toStandardOutput = target === STANDARD_OUTPUT;
  if (!toStandardOutput) await requireFree(target);
  const sum = await place.watched(async (progress) => {
    const { content } = await place.opened.archives.open(id, progress);
    return toStandardOutput ? toOutput(content, call) : toFile(content, target, signal);
  });
  const reason = `The snapshot ${id} is in ${toStandardOutput ? 'standard output' : target}: ${bytesText(sum.bytes)}, sha256 ${sum.sha256}`;
  const lines = toStandardOutput ? { ...output, out: output.err } : output; // the archive has standard output to itself
  return outcome(options, lines, EXIT.ok, reason, { snapshot: id, file: target, ...sum });
}

async function toOutput(content: Readable, { output, signal }: Call): Promise<Sum> {
  if (output.bytes === undefined) throw new WrongUsage('There is no standard output for bytes', ['backup', 'export']);
  const summed = new Summed();
  await pipeline(content, summed.pass, output.bytes, { signal, end: false });
  return summed.sum;
}

async function toFile(content: Readable, target: string, signal: AbortSignal): Promise<Sum> {
  const folder = dirname(resolve(target));
  const partial = join(folder, `.${basename(target)}.${randomUUID()}.partial`);
  const summed = new Summed();
  try {
    await pipeline(content, summed.pass, createWriteStream(partial, { flags: 'wx', mode: 0o600, flush: true }), { signal });
    await requireFree(target);
    await rename(partial, target);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  await flushFolder(folder);
  return summed.sum;
}

/** Until then a power cut could take the new name away. */
async function flushFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Bytes that are summed as they pass. */
class Summed {
  private readonly hash = createHash('sha256');
  private bytes = 0;

  readonly pass = async function* (this: Summed, source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    for await (const chunk of source) {
      this.hash.update(chunk);
      this.bytes += chunk.length;
      yield chunk;
    }
  }.bind(this);

  get sum(): Sum {
    return { sha256: this.hash.digest('hex'), bytes: this.bytes };
  }
}

/** @throws where the name is taken: nothing is written over */
async function requireFree(path: string): Promise<void> {
  const taken = await access(path).then(
    () => true,
    () => false,
  );
  if (taken) throw new Error(`${path} is there already: nothing is written over it`);
}
