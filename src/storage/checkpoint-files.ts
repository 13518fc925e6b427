import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../errors/has-code';
import { discardFile, type DurableFiles } from './durable-files';
import type { Checkpoint } from './event-log.port';
import { hashOf } from './stored-event';

/** The form of these files; a newer service that needs another says another number, and this one passes its files over. */
const SCHEMA = 4;
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
  async write(checkpoint: Checkpoint): Promise<void> {
    const staged = await this.files.writeStaged(Buffer.from(seal(checkpoint)));
    try {
      // one that is taken says the same, or is damaged: then a good one takes its place
      const path = join(this.folder, `${String(checkpoint.position.seq).padStart(20, '0')}.json`);
      if (!(await this.files.claim(staged, path))) await this.files.replace(staged, path);
      await this.files.flushFolder(this.folder);
    } finally {
      await discardFile(staged);
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
      return unseal(await readFile(path, 'utf8'));
    } catch {
      return undefined;
    }
  }
}

/** JSON, and its hash is of the very text: to make canonical JSON of the state of a large registry takes a second. */
function seal({ position, state }: Checkpoint): string {
  const said = JSON.stringify({ position, state });
  return `${headOf(hashOf(said))}${said.slice(1)}`;
}

/** @returns undefined where the text is not one that `seal` made */
function unseal(text: string): Checkpoint | undefined {
  const headLength = headOf(hashOf('')).length;
  const said = `{${text.slice(headLength)}`;
  if (text.slice(0, headLength) !== headOf(hashOf(said))) return undefined;
  const { position, state } = JSON.parse(said) as Checkpoint;
  return { position, state };
}

function headOf(sha256: string): string {
  return `{"schema":${SCHEMA},"sha256":"${sha256}",`;
}
