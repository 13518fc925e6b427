import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import fs, { copyFile, cp, mkdir, mkdtemp, readdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { Readable } from 'node:stream';
import { Logger } from '@nestjs/common';
import { RegistryHouse } from '../../../test/process/registry-house';
import canonicalize from 'canonicalize';
import { fsckCommand } from '../../cli/fsck.command';
import type { BlobName } from '../../storage/blob-store.port';
import { CheckpointFiles } from '../../storage/checkpoint-files';
import { DurableFiles } from '../../storage/durable-files';
import { type Checkpoint, LOG_START, type LogEntry, type StoredEvent } from '../../storage/event-log.port';
import { FileBlobStore } from '../../storage/file-blob.store';
import { FileEventLog } from '../../storage/file-event.log';
import { OWNER_PREFIX, SELF } from '../../storage/staging-owner';
import { NoSpace } from '../../storage/storage.errors';
import { hashOf } from '../../storage/stored-event';
import { type Finding, fsck } from './fsck';
import { RegistryJournal } from '../registry/registry-journal';
import { RegistryState } from '../registry/registry-state';

const digestOf = (content: string): string => createHash('sha256').update(content).digest('hex');
const [ONE, TWO] = [digestOf('iris one'), digestOf('iris two')];
/** Condemned by event 5 before it was published. */
const PRICE = `${digestOf('price one')}.5`;

const eventFile = (seq: number): string => join('log', `${String(seq).padStart(20, '0')}.json`);
const checkpointFile = (seq: number): string => join('checkpoints', `${String(seq).padStart(20, '0')}.json`);
const blobFile = (name: BlobName): string => join('blobs', 'sha256', name.slice(0, 2), name);

/** The folder of a registry, and ways to harm it. */
class Folder {
  constructor(readonly root: string) {}

  path(name: string): string {
    return join(this.root, name);
  }

  text(name: string): Promise<string> {
    return readFile(this.path(name), 'utf8');
  }

  /** Puts something there, whatever was there before. */
  async put(name: string, content: string | Uint8Array): Promise<void> {
    await this.take(name);
    await mkdir(dirname(this.path(name)), { recursive: true });
    await writeFile(this.path(name), content);
  }

  async change(name: string, change: (bytes: Buffer) => string | Uint8Array): Promise<void> {
    await this.put(name, change(await readFile(this.path(name))));
  }

  take(name: string): Promise<void> {
    return rm(this.path(name), { recursive: true, force: true });
  }

  async move(from: string, to: string): Promise<void> {
    await mkdir(dirname(this.path(to)), { recursive: true });
    await rename(this.path(from), this.path(to));
  }

  async link(target: string, name: string): Promise<void> {
    await this.take(name);
    await symlink(target, this.path(name));
  }

  async makeFolder(name: string): Promise<void> {
    await this.take(name);
    await mkdir(this.path(name));
  }

  async entries(): Promise<readonly LogEntry[]> {
    return Readable.from(new FileEventLog(this.root).read(LOG_START)).toArray();
  }

  /** The next event, well chained. */
  async append(fields: object): Promise<void> {
    const { position } = (await this.entries()).at(-1) as LogEntry;
    await new FileEventLog(this.root).append(position, { actor: 'ada', correlationId: 'c', ...fields } as unknown as StoredEvent);
  }

  /** A whole checkpoint that says what it likes. */
  async forge(seq: number, change: (checkpoint: Checkpoint) => Checkpoint): Promise<void> {
    const { position, state } = JSON.parse(await this.text(checkpointFile(seq))) as Checkpoint;
    await this.take(checkpointFile(seq));
    await new CheckpointFiles(new DurableFiles(this.root)).write(change({ position, state }));
  }

  /** The checkpoint that event `seq` deserves. */
  async checkpoint(seq: number): Promise<void> {
    const state = new RegistryState();
    for (const entry of (await this.entries()).slice(0, seq)) state.apply(entry);
    await new CheckpointFiles(new DurableFiles(this.root)).write({ position: state.position, state: state.snapshot() });
  }

  async orphan(content: string, name: BlobName = digestOf(content)): Promise<void> {
    await this.put(blobFile(name), content);
  }

  /** Everything in it but folders: where, and what. */
  async inventory(): Promise<ReadonlyMap<string, string>> {
    const entries = await readdir(this.root, { recursive: true, withFileTypes: true });
    const found = new Map<string, string>();
    for (const entry of entries) {
      const path = join(entry.parentPath, entry.name);
      const what = entry.isDirectory() ? 'folder' : entry.isSymbolicLink() ? await readlink(path) : hashOf(await readFile(path));
      found.set(relative(this.root, path), what);
    }
    return found;
  }

  async check(repair = false): Promise<readonly Finding[]> {
    return Readable.from(fsck(this.root, repair)).toArray();
  }

  /** As a command, whose last line is the outcome. */
  async command(repair = false): Promise<{ readonly exit: number; readonly lines: readonly Record<string, unknown>[] }> {
    const lines: Record<string, unknown>[] = [];
    const out = (line: string): void => void lines.push(JSON.parse(line));
    const exit = await fsckCommand({ root: this.root, json: true, repair }, { out, err: () => {} });
    return { exit, lines };
  }
}

const lineOf = ({ severity, code, subject }: Finding): string => `${severity} ${code} ${subject}`;

/** Makes a registry as servers make them. */
async function makeRegistry(root: string, work: (doing: ReturnType<typeof doingsOf>) => Promise<void>): Promise<void> {
  const doing = doingsOf(root);
  await doing.journal.onModuleInit();
  await work(doing);
}

function doingsOf(root: string) {
  const blobs = new FileBlobStore(root);
  const house = new RegistryHouse(blobs, new FileEventLog(root));
  const stage = (content: string) => blobs.stage(Readable.from([Buffer.from(content)]), 2 ** 20);
  return {
    journal: house.journal,
    publish: (model: string, content: string) => house.publish(model, content),
    promote: (model: string, version: number) => house.stages.move(model, version, 'production', { actor: 'ada' }),
    deletion: house.deletion,
    orphan: async (content: string) => {
      const staged = await stage(content);
      await blobs.put(staged);
      await staged.discard();
    },
    collect: () => house.collector.collect('upkeep', { minAgeMs: 0, undeleteMs: 3_600_000 }),
  };
}

interface Damage {
  readonly what: string;
  readonly harm: (folder: Folder, other: Folder) => Promise<unknown>;
  /** Severity, code and subject of everything that is found. */
  readonly findings: readonly string[];
  readonly exit: 0 | 1 | 3;
  /** Files that `--repair` writes, and what the exit code is then. */
  readonly repaired?: readonly string[];
}

/** The last event is 8; checkpoints are of 4 and 7; version 2 of iris is in production. */
const DAMAGES: readonly Damage[] = [
  // the log
  {
    what: 'an event that is cut off',
    harm: (folder) => folder.change(eventFile(4), (bytes) => bytes.subarray(0, 50)),
    findings: ['fatal LOG_DAMAGED event 4'],
    exit: 1,
  },
  { what: 'an empty event', harm: (folder) => folder.put(eventFile(4), ''), findings: ['fatal LOG_DAMAGED event 4'], exit: 1 },
  {
    what: 'an event of zeros, as a file system leaves it that lost its bytes',
    harm: (folder) => folder.change(eventFile(4), (bytes) => Buffer.alloc(bytes.length)),
    findings: ['fatal LOG_DAMAGED event 4'],
    exit: 1,
  },
  {
    what: 'an event with a flipped bit',
    harm: (folder) => folder.change(eventFile(3), (bytes) => bytes.toString().replace('"actor":"ada"', '"actor":"aea"')),
    findings: ['fatal LOG_DAMAGED event 4'], // the one that is chained to it
    exit: 1,
  },
  {
    what: 'an event with a flipped bit that a checkpoint was made of',
    harm: (folder) => folder.change(eventFile(4), (bytes) => bytes.toString().replace('"actor":"ada"', '"actor":"aea"')),
    findings: ['fatal LOG_DAMAGED event 4', 'fatal LOG_DAMAGED event 5'],
    exit: 1,
  },
  {
    what: 'an event that is JSON, but no event',
    harm: (folder) => folder.put(eventFile(4), '[]'),
    findings: ['fatal LOG_DAMAGED event 4'],
    exit: 1,
  },
  { what: 'a missing first event', harm: (folder) => folder.take(eventFile(1)), findings: ['fatal LOG_DAMAGED event 1'], exit: 1 },
  { what: 'a missing event', harm: (folder) => folder.take(eventFile(5)), findings: ['fatal LOG_DAMAGED event 5'], exit: 1 },
  {
    what: 'many missing events',
    harm: async (folder) => {
      for (const seq of [2, 3, 4, 5, 6]) await folder.take(eventFile(seq));
    },
    findings: ['fatal LOG_DAMAGED event 2'],
    exit: 1,
  },
  {
    what: 'missing last events that a checkpoint was made of',
    harm: async (folder) => {
      for (const seq of [6, 7, 8]) await folder.take(eventFile(seq));
      await folder.take(blobFile(PRICE));
    },
    findings: ['fatal LOG_DAMAGED event 6'],
    exit: 1,
  },
  {
    what: 'a changed last event that a checkpoint was made of',
    harm: async (folder) => {
      await folder.take(eventFile(8));
      await folder.change(eventFile(7), (bytes) => bytes.toString().replace('"actor":"ada"', '"actor":"eve"'));
    },
    findings: ['fatal LOG_DAMAGED event 7'],
    exit: 1,
  },
  {
    what: 'an event in the place of another',
    harm: (folder) => copyFile(folder.path(eventFile(3)), folder.path(eventFile(8))),
    findings: ['fatal LOG_DAMAGED event 8'],
    exit: 1,
  },
  {
    what: 'a folder in the place of an event',
    harm: (folder) => folder.makeFolder(eventFile(4)),
    findings: ['fatal LOG_DAMAGED event 4', `note FOREIGN_FILE ${eventFile(4)}`],
    exit: 1,
  },
  {
    what: 'a link in the place of an event',
    harm: async (folder) => {
      await folder.move(eventFile(4), 'elsewhere.json');
      await folder.link('../elsewhere.json', eventFile(4));
    },
    findings: ['fatal LOG_DAMAGED event 4', `note FOREIGN_FILE ${eventFile(4)}`],
    exit: 1,
  },
  {
    what: 'an event of a newer version of the service',
    harm: async (folder) => {
      await folder.append({ kind: 'model.pinned', model: 'iris', version: 1 });
      await folder.append({ kind: 'model.described', model: 'iris', description: 'after', tags: [] });
    },
    findings: ['fatal LOG_NEWER event 9'],
    exit: 1,
  },
  {
    what: 'an event that lacks what its kind has',
    harm: (folder) => folder.append({ kind: 'version.published', model: 'iris', version: 3 }),
    findings: ['fatal LOG_DAMAGED event 9'],
    exit: 1,
  },
  {
    what: 'an event about a version that never was',
    harm: (folder) => folder.append({ kind: 'stage.changed', model: 'iris', version: 9, stage: 'archived' }),
    findings: ['fatal LOG_DAMAGED event 9'],
    exit: 1,
  },
  {
    what: 'an event that is older than the one before it',
    harm: async (folder) => {
      const [last] = (await folder.entries()).slice(-1) as [LogEntry];
      const event = { ...last.event, kind: 'model.described', model: 'iris', description: '', tags: [] };
      const next = { ...event, seq: 9, previous: last.position.hash, at: '2020-01-01T00:00:00.000Z' };
      await folder.put(eventFile(9), canonicalize(next) as string);
    },
    findings: ['fatal LOG_DAMAGED event 9'],
    exit: 1,
  },
  {
    what: 'the log of another registry',
    harm: async (folder, other) => {
      await folder.take('log');
      await cp(other.path('log'), folder.path('log'), { recursive: true });
    },
    findings: [
      'note CHECKPOINT_UNTRUSTED checkpoint 4',
      'note CHECKPOINT_UNTRUSTED checkpoint 7',
      `damage BLOB_MISSING ${digestOf('pear one')}`,
      ...[ONE, TWO, PRICE].map((name) => `note BLOB_ORPHANED ${name}`),
    ],
    exit: 3,
  },
  // blobs
  {
    what: 'a blob with a flipped bit',
    harm: (folder) => folder.put(blobFile(ONE), 'iris ome'),
    findings: [`damage BLOB_DAMAGED ${ONE}`],
    exit: 3,
  },
  {
    what: 'a blob that is cut off',
    harm: (folder) => folder.put(blobFile(ONE), 'iris'),
    findings: [`damage BLOB_DAMAGED ${ONE}`],
    exit: 3,
  },
  { what: 'an empty blob', harm: (folder) => folder.put(blobFile(ONE), ''), findings: [`damage BLOB_DAMAGED ${ONE}`], exit: 3 },
  {
    what: 'a blob that has grown',
    harm: (folder) => folder.put(blobFile(ONE), 'iris one more'),
    findings: [`damage BLOB_DAMAGED ${ONE}`],
    exit: 3,
  },
  {
    what: 'a blob with the bytes of another',
    harm: (folder) => copyFile(folder.path(blobFile(TWO)), folder.path(blobFile(ONE))),
    findings: [`damage BLOB_DAMAGED ${ONE}`],
    exit: 3,
  },
  { what: 'a missing blob', harm: (folder) => folder.take(blobFile(TWO)), findings: [`damage BLOB_MISSING ${TWO}`], exit: 3 },
  {
    what: 'a missing blob of a later generation',
    harm: (folder) => folder.take(blobFile(PRICE)),
    findings: [`damage BLOB_MISSING ${PRICE}`],
    exit: 3,
  },
  {
    what: 'all blobs missing',
    harm: (folder) => folder.take('blobs'),
    findings: [ONE, TWO, PRICE].map((name) => `damage BLOB_MISSING ${name}`),
    exit: 3,
  },
  {
    what: 'a folder in the place of a blob',
    harm: (folder) => folder.makeFolder(blobFile(ONE)),
    findings: [`damage BLOB_MISSING ${ONE}`, `note FOREIGN_FILE ${blobFile(ONE)}`],
    exit: 3,
  },
  {
    what: 'a link in the place of a blob',
    harm: async (folder) => {
      await folder.move(blobFile(ONE), 'elsewhere');
      await folder.link('../../../elsewhere', blobFile(ONE));
    },
    findings: [`damage BLOB_MISSING ${ONE}`, `note FOREIGN_FILE ${blobFile(ONE)}`],
    exit: 3,
  },
  {
    what: 'a blob in the folder of another',
    harm: (folder) => folder.move(blobFile(ONE), join('blobs', 'sha256', '00', ONE)),
    findings: [`damage BLOB_MISSING ${ONE}`, `note FOREIGN_FILE ${join('blobs', 'sha256', '00', ONE)}`],
    exit: 3,
  },
  {
    what: 'a lost blob whose bytes lie under a condemned name',
    harm: (folder) => folder.move(blobFile(PRICE), blobFile(PRICE.slice(0, 64))),
    findings: [`damage BLOB_MISSING ${PRICE}`, `note BLOB_ORPHANED ${PRICE.slice(0, 64)}`],
    exit: 3,
    repaired: [blobFile(PRICE)],
  },
  {
    what: 'a damaged blob whose bytes lie under a later name',
    harm: async (folder) => {
      await folder.orphan('iris one', `${ONE}.77`);
      await folder.put(blobFile(ONE), 'rotten');
    },
    findings: [`damage BLOB_DAMAGED ${ONE}`, `note BLOB_ORPHANED ${ONE}.77`],
    exit: 3,
    repaired: [blobFile(ONE)],
  },
  {
    what: 'a damaged blob whose bytes under another name are damaged too',
    harm: async (folder) => {
      await folder.put(blobFile(`${ONE}.77`), 'rotten');
      await folder.put(blobFile(ONE), 'rotten');
    },
    findings: [`damage BLOB_DAMAGED ${ONE}`, `note BLOB_DAMAGED ${ONE}.77`],
    exit: 3,
  },
  {
    what: 'a blob that no version needs',
    harm: (folder) => folder.orphan('orphan'),
    findings: [`note BLOB_ORPHANED ${digestOf('orphan')}`],
    exit: 0,
  },
  {
    what: 'a condemned blob that was not taken away yet, beside the one that is needed',
    harm: (folder) => folder.orphan('price one'),
    findings: [`note BLOB_ORPHANED ${PRICE.slice(0, 64)}`],
    exit: 0,
  },
  {
    what: 'a damaged blob that no version needs',
    harm: (folder) => folder.orphan('rotten', digestOf('orphan')),
    findings: [`note BLOB_DAMAGED ${digestOf('orphan')}`],
    exit: 0,
  },
  // checkpoints
  {
    what: 'a checkpoint that is cut off',
    harm: (folder) => folder.change(checkpointFile(7), (bytes) => bytes.subarray(0, 100)),
    findings: ['note CHECKPOINT_UNTRUSTED checkpoint 7'],
    exit: 0,
    repaired: [checkpointFile(7)],
  },
  {
    what: 'a checkpoint with a flipped bit',
    harm: (folder) => folder.change(checkpointFile(7), (bytes) => bytes.toString().replace('"highest":2', '"highest":3')),
    findings: ['note CHECKPOINT_UNTRUSTED checkpoint 7'],
    exit: 0,
    repaired: [checkpointFile(7)],
  },
  {
    what: 'a damaged older checkpoint',
    harm: (folder) => folder.put(checkpointFile(4), 'junk'),
    findings: ['note CHECKPOINT_UNTRUSTED checkpoint 4'],
    exit: 0,
    repaired: [checkpointFile(4)],
  },
  {
    what: 'a damaged checkpoint beside more good ones than a server keeps',
    harm: async (folder) => {
      for (const seq of [2, 5, 6, 8]) await folder.checkpoint(seq);
      await folder.put(checkpointFile(8), 'junk');
    },
    findings: ['note CHECKPOINT_UNTRUSTED checkpoint 8'],
    exit: 0,
    repaired: [checkpointFile(8)],
  },
  {
    what: 'a checkpoint of a form that a newer version writes',
    harm: (folder) => folder.change(checkpointFile(7), (bytes) => bytes.toString().replace('"schema":4', '"schema":5')),
    findings: ['note CHECKPOINT_UNTRUSTED checkpoint 7'],
    exit: 0,
    repaired: [checkpointFile(7)],
  },
  {
    what: 'a checkpoint that says something else than the events',
    harm: (folder) => folder.forge(7, ({ position, state }) => ({ position, state: { ...(state as object), condemned: [] } })),
    findings: ['note CHECKPOINT_UNTRUSTED checkpoint 7'],
    exit: 0,
    repaired: [checkpointFile(7)],
  },
  {
    what: 'a checkpoint that says another time than its event',
    harm: (folder) => folder.forge(7, ({ position, state }) => ({ position: { ...position, at: '2099-01-01T00:00:00.000Z' }, state })),
    findings: ['note CHECKPOINT_UNTRUSTED checkpoint 7'],
    exit: 0,
    repaired: [checkpointFile(7)],
  },
  {
    what: 'a checkpoint of another registry',
    harm: (folder) =>
      folder.forge(7, ({ position, state }) => {
        return { position: { ...position, hash: 'f'.repeat(64) }, state: { ...(state as object), lineage: 'another' } };
      }),
    findings: ['note CHECKPOINT_UNTRUSTED checkpoint 7'],
    exit: 0,
    repaired: [checkpointFile(7)],
  },
  {
    what: 'a checkpoint under the number of another',
    harm: (folder) => copyFile(folder.path(checkpointFile(4)), folder.path(checkpointFile(6))),
    findings: ['note CHECKPOINT_UNTRUSTED checkpoint 6'],
    exit: 0,
    repaired: [checkpointFile(6)],
  },
  {
    what: 'junk with the name of a checkpoint that is far away',
    harm: (folder) => folder.put(checkpointFile(1_000_000), 'junk'),
    findings: ['note CHECKPOINT_UNTRUSTED checkpoint 1000000'],
    exit: 0,
  },
  {
    what: 'a folder in the place of a checkpoint',
    harm: (folder) => folder.makeFolder(checkpointFile(7)),
    findings: [`note FOREIGN_FILE ${checkpointFile(7)}`],
    exit: 0,
  },
  // what lies about
  ...['log/README.txt', 'log/9.json', 'checkpoints/x.tmp', 'blobs/sha256/27f', `blobs/sha256/${ONE.slice(0, 2)}/.DS_Store`].map(
    (path): Damage => ({
      what: `a foreign file ${path.replace(ONE.slice(0, 2), 'xx')}`,
      harm: (folder) => folder.put(path, 'x'),
      findings: [`note FOREIGN_FILE ${path}`],
      exit: 0,
    }),
  ),
  {
    what: 'a file of nobody in the staging area',
    harm: (folder) => folder.put('.staging/notes.txt', 'x'),
    findings: ['note FOREIGN_FILE .staging/notes.txt'],
    exit: 0,
  },
  {
    what: 'an upload whose process is gone',
    harm: (folder) => folder.put(`.staging/${SELF.machine}-${SELF.pid}-1-upload`, 'half'),
    findings: [`note STAGING_LEFT .staging/${SELF.machine}-${SELF.pid}-1-upload`],
    exit: 0,
  },
  {
    what: 'damaged bytes that were replaced',
    harm: (folder) => folder.put(`.quarantine/${ONE}-1790000000000`, 'rotten'),
    findings: [`note QUARANTINED .quarantine/${ONE}-1790000000000`],
    exit: 0,
  },
  // several at once
  {
    what: 'damage of every sort at once',
    harm: async (folder) => {
      await folder.put(blobFile(ONE), 'rotten');
      await folder.take(blobFile(PRICE));
      await folder.put(checkpointFile(4), 'junk');
      await folder.put(eventFile(7), 'junk');
      await folder.put('log/README.txt', 'x');
      await folder.orphan('orphan');
    },
    // what was not read may need the orphan; checkpoint 7 cannot be judged
    findings: [
      'fatal LOG_DAMAGED event 7',
      'note CHECKPOINT_UNTRUSTED checkpoint 4',
      `damage BLOB_DAMAGED ${ONE}`,
      `damage BLOB_MISSING ${PRICE}`,
      'note FOREIGN_FILE log/README.txt',
    ],
    exit: 1,
    repaired: [checkpointFile(4)],
  },
];

describe(fsck, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'fsck-'));
  const original = join(scratch, 'original');
  const other = new Folder(join(scratch, 'other'));
  let folder: Folder;

  beforeAll(async () => {
    Logger.overrideLogger(false);
    jest.spyOn(DurableFiles.prototype, 'flush').mockResolvedValue(); // nothing here is about power cuts
    await makeRegistry(original, async ({ publish, promote, journal, orphan, collect }) => {
      await publish('iris', 'iris one');
      await promote('iris', 1);
      await publish('iris', 'iris two');
      await journal.saveCheckpoint();
      await orphan('price one');
      await collect();
      await publish('price', 'price one');
      await promote('price', 1);
      await journal.saveCheckpoint();
      await promote('iris', 2);
    });
    await makeRegistry(other.root, async ({ publish }) => void (await publish('pear', 'pear one')));
  });
  beforeEach(async () => {
    folder = new Folder(await mkdtemp(join(scratch, 'copy-')));
    await cp(original, folder.root, { recursive: true });
  });
  afterEach(() => rm(folder.root, { recursive: true }));
  afterAll(async () => {
    jest.restoreAllMocks();
    await rm(scratch, { recursive: true, force: true });
  });

  it('has nothing to say of a registry in which all is well, nor of the uploads of those who live', async () => {
    await folder.put(`.staging/${OWNER_PREFIX}upload`, 'half');
    await folder.put(`.staging/${SELF.machine === '00000000' ? '11111111' : '00000000'}-1-1-upload`, 'half');
    expect(await folder.check()).toEqual([]);
    expect((await folder.entries()).map(({ event }) => event.kind)).toHaveLength(8);
    const { exit, lines } = await folder.command();
    expect(exit).toBe(0);
    expect(lines).toEqual([
      { code: 0, reason: 'All is well: 0 fatal, 0 damaged, 0 repaired, 0 to note', fatal: 0, damage: 0, note: 0, repaired: 0 },
    ]);
  });

  it('is tried on at least thirty kinds of damage', () => {
    expect(new Set(DAMAGES.map(({ what }) => what)).size).toBe(DAMAGES.length);
    expect(DAMAGES.length).toBeGreaterThanOrEqual(30);
  });

  describe.each(DAMAGES)('given $what', ({ harm, findings, exit, repaired = [] }) => {
    beforeEach(() => harm(folder, other));

    it('names it, and nothing else, and changes nothing', async () => {
      const before = await folder.inventory();
      const found = await folder.check();
      expect(found.map(lineOf).sort()).toEqual([...findings].sort());
      for (const { detail, repaired: done } of found) {
        expect(detail).toMatch(/\w{2,}/);
        expect(done).toBeUndefined();
      }
      const { exit: code, lines } = await folder.command();
      expect(code).toBe(exit);
      expect(lines.slice(0, -1)).toEqual(found);
      expect(lines.at(-1)).toMatchObject({ code: exit, reason: expect.stringMatching(/\w/) });
      expect(await folder.inventory()).toEqual(before);
    });

    it('mends by adding: takes nothing away, and changes nothing but what it says', async () => {
      const before = await folder.inventory();
      const found = await folder.check(true);
      expect(
        found
          .filter(({ code }) => code !== 'QUARANTINED')
          .map(lineOf)
          .sort(),
      ).toEqual(findings.filter((line) => !line.includes('QUARANTINED')).sort());
      expect(found.flatMap(({ subject, repaired: done }) => (done === undefined ? [] : [fileOf(subject)])).sort()).toEqual(
        [...repaired].sort(),
      );
      const after = await folder.inventory();
      const quarantined = new Set([...after].filter(([path]) => path.startsWith('.quarantine/')).map(([, what]) => what));
      // of a blob the damaged bytes are kept; a checkpoint is disposable
      const kept = ([path, what]: readonly [string, string]): boolean =>
        repaired.includes(path) ? path.startsWith('checkpoints/') || quarantined.has(what) : after.get(path) === what;
      expect([...before].filter((entry) => !kept(entry))).toEqual([]);
      const added = [...after.keys()].filter((path) => !before.has(path) && after.get(path) !== 'folder');
      expect(added.filter((path) => !path.startsWith('.quarantine/'))).toEqual(repaired.filter((path) => !before.has(path)));

      const left = (await folder.check()).filter(({ code }) => code !== 'QUARANTINED').map(lineOf);
      const mended = new Set(found.filter(({ repaired: done }) => done !== undefined).map(lineOf));
      expect(left.sort()).toEqual(findings.filter((line) => !mended.has(line) && !line.includes('QUARANTINED')).sort());
    });
  });

  const fileOf = (subject: string): string => {
    const checkpoint = /^checkpoint (\d+)$/.exec(subject)?.[1];
    return checkpoint === undefined ? blobFile(subject) : checkpointFile(Number(checkpoint));
  };

  describe('words', () => {
    it('name who needs a blob that is lost, and how it was written again', async () => {
      await folder.move(blobFile(PRICE), blobFile(PRICE.slice(0, 64)));
      expect(await folder.check(true)).toContainEqual({
        code: 'BLOB_MISSING',
        severity: 'damage',
        subject: PRICE,
        detail: 'it is not there; needed by price 1',
        repaired: `written again from ${PRICE.slice(0, 64)}`,
      });
      expect(await folder.text(blobFile(PRICE))).toBe('price one');
    });

    it('name every version that needs a damaged blob', async () => {
      await makeRegistry(folder.root, async ({ publish }) => {
        await publish('berry', 'iris one');
        await publish('iris', 'iris one');
      });
      await folder.put(blobFile(ONE), 'rotten');
      const [finding] = await folder.check();
      expect(finding?.detail).toBe('its bytes are not what its name promises; needed by berry 1, iris 1');
    });

    it('say why the events after one cannot be read', async () => {
      await folder.put(eventFile(4), 'junk');
      const [finding] = await folder.check();
      expect(finding).toMatchObject({ subject: 'event 4', detail: 'Event 4 of the log cannot be trusted: it is no JSON' });
    });

    it('say how it is known that last events are lost', async () => {
      for (const seq of [7, 8]) await folder.take(eventFile(seq));
      const [finding] = await folder.check();
      expect(finding?.detail).toBe('It is missing: the log ends at 6, but there is a checkpoint that was made of event 7');
    });
  });

  it('writes a damaged blob again that a server then loads, and exits as if it had been well', async () => {
    await folder.orphan('iris two', `${TWO}.99`);
    await folder.put(blobFile(TWO), 'rotten');
    const { exit, lines } = await folder.command(true);
    expect(exit).toBe(0);
    expect(lines.at(-1)).toMatchObject({ code: 0, repaired: 1, damage: 0, fatal: 0 });
    expect(await new FileBlobStore(folder.root).verify(TWO)).toBe(true);
    expect((await folder.command()).lines.at(-1)).toMatchObject({ code: 0, damage: 0 });
  });

  it('writes an untrusted checkpoint again so that a start uses it', async () => {
    await folder.put(checkpointFile(7), 'junk');
    const log = new FileEventLog(folder.root);
    expect((await log.newestCheckpoint())?.position.seq).toBe(4);
    await folder.check(true);
    expect((await log.newestCheckpoint())?.position.seq).toBe(7);
    const state = new RegistryState();
    await new RegistryJournal(log, state, new FileBlobStore(folder.root)).onModuleInit();
    expect(state.requireVersion('iris', 2).stage).toBe('production');
    expect(state.blobName(PRICE.slice(0, 64))).toBe(PRICE);
  });

  // a newer version may know better: its checkpoint says what its own events did
  it('never touches a checkpoint of what a newer version wrote', async () => {
    await folder.append({ kind: 'model.pinned', model: 'iris', version: 1 });
    const { position } = (await folder.entries()).at(-1) as LogEntry;
    await new CheckpointFiles(new DurableFiles(folder.root)).write({ position, state: { lineage: 'whatever', newer: true } });
    const before = await folder.inventory();
    expect((await folder.check(true)).map(lineOf)).toEqual(['fatal LOG_NEWER event 9']);
    expect(await folder.inventory()).toEqual(before);
  });

  describe('on a disk that fails', () => {
    const eio = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', syscall: 'read' });

    it('names the event that cannot be read', async () => {
      const { open } = fs;
      const spy = jest.spyOn(fs, 'open').mockImplementation((path, ...more) => {
        return String(path).endsWith(eventFile(5)) ? Promise.reject(eio) : open(path, ...more);
      });
      const found = await folder.check();
      spy.mockRestore();
      expect(found).toEqual([{ code: 'LOG_DAMAGED', severity: 'fatal', subject: 'event 5', detail: 'EIO: i/o error, read' }]);
    });

    it('names the blob that cannot be read', async () => {
      const { read } = FileBlobStore.prototype;
      const spy = jest.spyOn(FileBlobStore.prototype, 'read').mockImplementation(async function* (this: FileBlobStore, name) {
        if (name === TWO) throw eio;
        yield* read.call(this, name);
      });
      const found = await folder.check();
      spy.mockRestore();
      expect(found.map(lineOf)).toEqual([`damage BLOB_DAMAGED ${TWO}`]);
    });

    it.each([
      ['full', new NoSpace()],
      ['read-only', Object.assign(new Error('EROFS: read-only file system, open'), { code: 'EROFS', syscall: 'open' })],
    ])('goes on where a blob cannot be written again (%s), and says why', async (_what, error) => {
      await folder.move(blobFile(PRICE), blobFile(PRICE.slice(0, 64)));
      await folder.put('log/README.txt', 'x');
      const spy = jest.spyOn(FileBlobStore.prototype, 'put').mockRejectedValue(error);
      const found = await folder.check(true);
      spy.mockRestore();
      expect(found.map(lineOf)).toContain('note FOREIGN_FILE log/README.txt');
      const missing = found.find(({ code }) => code === 'BLOB_MISSING');
      expect(missing?.repaired).toBeUndefined();
      expect(missing?.detail).toContain(`could not be written again from ${PRICE.slice(0, 64)}: ${error.message}`);
      expect(await readdir(folder.path('.staging'))).toEqual([]);
    });

    it('ends with an outcome where the check itself fails', async () => {
      const spy = jest.spyOn(FileBlobStore.prototype, 'read').mockImplementation(() => {
        throw Object.assign(new Error('EMFILE: too many'), { code: 'EMFILE' });
      });
      const { exit, lines } = await folder.command();
      spy.mockRestore();
      expect(exit).toBe(1);
      expect(lines.at(-1)).toEqual({ code: 1, reason: 'The check failed: EMFILE: too many' });
    });
  });

  describe('beside a server that works', () => {
    it('does not take for lost what a collector takes away while it looks', async () => {
      await folder.orphan('orphan');
      const { read } = FileBlobStore.prototype;
      const spy = jest.spyOn(FileBlobStore.prototype, 'read').mockImplementation(async function* (this: FileBlobStore, name) {
        if (name === digestOf('orphan')) await folder.take(blobFile(name));
        yield* read.call(this, name);
      });
      const found = await folder.check();
      spy.mockRestore();
      expect(found).toEqual([]);
    });

    it('does not take for untrusted what a server replaces while it looks', async () => {
      const { read } = FileEventLog.prototype;
      const spy = jest.spyOn(FileEventLog.prototype, 'read').mockImplementation(async function* (this: FileEventLog, after) {
        spy.mockRestore();
        await makeRegistry(folder.root, ({ journal }) => journal.saveCheckpoint()); // of event 8; that of event 4 goes
        yield* read.call(this, after);
      });
      expect(await folder.check()).toEqual([]);
      expect(await readdir(folder.path('checkpoints'))).toHaveLength(2);
    });

    it('finds nothing wrong in what is published while it looks', async () => {
      const publishing = makeRegistry(folder.root, async ({ publish }) => {
        for (let at = 0; at < 30; at++) await publish(`busy-${at % 3}`, `busy ${at}`);
      });
      const seen: Finding[] = [];
      let busy = true;
      const done = publishing.finally(() => (busy = false));
      while (busy) seen.push(...(await folder.check()));
      await done;
      // bytes that came after the log was read look like those of a lost upload, and that is no damage
      expect(seen.filter(({ code }) => code !== 'BLOB_ORPHANED')).toEqual([]);
      expect(await folder.check()).toEqual([]);
    });
  });
});
