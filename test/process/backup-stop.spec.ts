import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { UnreferencedObjects } from '../../src/backup/retention/unreferenced-objects';
import { BackupConfig } from '../../src/config/app-config';
import { describeTraced } from '../crash/trace-driver';
import { LOG_START } from '../../src/storage/event-log.port';
import { sealEvent } from '../../src/storage/stored-event';
import { linear } from '../onnx/models';
import { Servers, type Settings } from './server-process';
import { SlowDisk } from './slow-disk';

const MAIN = join(__dirname, '..', '..', 'dist', 'main.js');
const INTERRUPTED = { code: 130, reason: 'Interrupted; nothing is half done' };
/** Every process here takes as long as the machine lets it. */
const PATIENCE_MS = 90_000;
const DAY_MS = 86_400_000;
/** Objects that no snapshot needs, as a backup leaves them that was cut off. */
const STRAYS = 30;

interface Run {
  readonly code: number | null;
  /** The last line. */
  readonly last: Record<string, any>; // oxlint-disable-line typescript/no-explicit-any
  readonly lines: readonly Record<string, any>[]; // oxlint-disable-line typescript/no-explicit-any
}

const scratch = mkdtempSync(join(tmpdir(), 'backup-stop-'));
const models = join(scratch, 'models');
const servers = new Servers();
const slowed: SlowDisk[] = [];

/** @param calls what the disk takes its time for */
function slow(calls: readonly string[], ms: number): SlowDisk {
  slowed.push(new SlowDisk(calls, ms));
  return slowed.at(-1) as SlowDisk;
}

/** A registry of three models, that nobody serves. It began long ago: what is due every minute is due at once. */
beforeAll(async () => {
  const began = new Date(Date.now() - 2 * DAY_MS);
  const fields = { kind: 'registry.created', lineage: 'line-1', actor: 'system', correlationId: 'start' };
  mkdirSync(join(models, 'log'), { recursive: true });
  writeFileSync(join(models, 'log', `${'1'.padStart(20, '0')}.json`), sealEvent(LOG_START, fields, began).bytes);
  const server = await servers.start({ MODELS_DIR: models, BACKUPS_DIR: join(scratch, 'none'), EXAMPLES: 'off', BACKUP_SCHEDULE: 'off' });
  for (const [at, name] of ['a', 'b', 'c'].entries()) await server.serve(name, linear([[at + 2]]));
  await server.stop('SIGINT');
});
afterEach(() => servers.remove());
afterAll(() => {
  for (const disk of slowed) disk.remove();
  rmSync(scratch, { recursive: true, force: true });
});

/** What a command said and how it ended; where a disk is slow, it is interrupted as soon as that holds up a call of a path. */
async function backup(
  place: string,
  args: readonly string[],
  interruption?: { readonly disk: SlowDisk; readonly at: string; readonly signal: NodeJS.Signals },
): Promise<Run> {
  const env = { MODELS_DIR: models, BACKUPS_DIR: place, BACKUP_KEEP_DAILY: '0', BACKUP_KEEP_LAST: '1' };
  const [program, ...words] = [...(interruption?.disk.under ?? []), process.execPath, MAIN, 'backup', ...args, '--json'] as [string];
  const child = spawn(program, words, { env, cwd: scratch, stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = once(child, 'close');
  const said = Promise.all([text(child.stdout), text(child.stderr)]);
  if (interruption !== undefined) {
    await Promise.race([interruption.disk.met(interruption.at), closed]);
    child.kill(interruption.signal);
  }
  const [code] = (await closed) as [number | null];
  const lines = (await said)[0]
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  return { code, lines, last: lines.at(-1) };
}

/** Of the snapshots of a place. */
async function snapshotsOf(place: string): Promise<{ readonly kept: readonly string[]; readonly deleted: readonly string[] }> {
  const { lines } = await backup(place, ['list', '--deleted']);
  const of = (deleted: boolean): readonly string[] =>
    lines.slice(0, -1).flatMap((line) => ('deleted' in line === deleted ? [line['id'] as string] : []));
  return { kept: of(false), deleted: of(true) };
}

describeTraced('a command on a slow disk that somebody interrupts', () => {
  const prepared = join(scratch, 'prepared');
  let strays: readonly string[];

  /** Three verified snapshots, of which the retention keeps one, and objects that are to be collected. */
  beforeAll(async () => {
    for (let count = 0; count < 3; count++) expect(await backup(prepared, ['run'])).toMatchObject({ code: 0 });
    expect(await backup(prepared, ['verify', '--all', '--level', 'structure'])).toMatchObject({ code: 0 });
    strays = Array.from({ length: STRAYS }, (_, at) => createHash('sha256').update(String(at)).digest('hex'));
    for (const [at, name] of strays.entries()) {
      mkdirSync(join(prepared, 'blobs', 'sha256', name.slice(0, 2)), { recursive: true });
      writeFileSync(join(prepared, 'blobs', 'sha256', name.slice(0, 2), name), String(at), { mode: 0o444 });
    }
    const config = Object.assign(new BackupConfig(), { backupsDir: prepared });
    await new UnreferencedObjects(config).note(strays, new Date(Date.now() - 2 * DAY_MS));
  }, PATIENCE_MS);

  const fresh = async (): Promise<string> => {
    const place = join(mkdtempSync(join(scratch, 'place-')), 'backups');
    await cp(prepared, place, { recursive: true });
    return place;
  };
  const left = (place: string): number =>
    strays.filter((name) => existsSync(join(place, 'blobs', 'sha256', name.slice(0, 2), name))).length;
  const eventsOf = (place: string): readonly string[] =>
    readdirSync(join(place, 'log')).map((name) => JSON.parse(readFileSync(join(place, 'log', name), 'utf8')).kind);

  /** Whatever was interrupted: the next one does the rest, and nothing was lost. */
  async function expectRestIsDone(place: string): Promise<void> {
    expect(await backup(place, ['prune'])).toMatchObject({ code: 0 });
    expect({ left: left(place), staged: readdirSync(join(place, '.staging')) }).toEqual({ left: 0, staged: [] });
    expect(await backup(place, ['verify', '--all'])).toMatchObject({ code: 0 });
  }

  it(
    'SIGINT: while a prune looks what is there, nothing is done',
    async () => {
      const signal = 'SIGINT';
      const place = await fresh();
      const disk = slow(['getdents64'], 8);
      expect((await backup(place, ['prune'], { disk, signal, at: `${place}/blobs` })).last).toEqual(INTERRUPTED);
      expect(left(place)).toBe(STRAYS);
      expect((await snapshotsOf(place)).deleted).toEqual([]);
      await expectRestIsDone(place);
    },
    PATIENCE_MS,
  );

  it(
    'SIGTERM: while a prune deletes, all are deleted that it wanted to, and nothing is collected',
    async () => {
      const signal = 'SIGTERM';
      const place = await fresh();
      const run = await backup(place, ['prune'], { disk: slow(['fsync'], 150), signal, at: `${place}/` });
      expect([run.code, run.last]).toEqual([130, INTERRUPTED]);
      expect((await snapshotsOf(place)).deleted).toHaveLength(2);
      expect(left(place)).toBe(STRAYS);
      expect(eventsOf(place)).not.toContain('blobs.condemned');
      await expectRestIsDone(place);
    },
    PATIENCE_MS,
  );

  it(
    'SIGINT: while a prune takes objects away, the rest stays for the next',
    async () => {
      const signal = 'SIGINT';
      const place = await fresh();
      const run = await backup(place, ['prune'], { disk: slow(['unlink'], 100), signal, at: `${place}/blobs` });
      expect([run.code, run.last]).toEqual([130, INTERRUPTED]);
      expect(left(place)).toBeGreaterThan(STRAYS / 2);
      expect(left(place)).toBeLessThan(STRAYS);
      expect(eventsOf(place)).toContain('blobs.condemned');
      await expectRestIsDone(place);
    },
    PATIENCE_MS,
  );

  it(
    'SIGTERM: before a deletion is decided it is not done; after that it is, and said so',
    async () => {
      const signal = 'SIGTERM';
      const place = await fresh();
      const { kept } = await snapshotsOf(place);
      const oldest = kept.at(-1) as string;
      const early = await backup(place, ['delete', oldest], { disk: slow(['getdents64'], 8), signal, at: `${place}/blobs` });
      expect([early.code, early.last]).toEqual([130, INTERRUPTED]);
      expect((await snapshotsOf(place)).deleted).toEqual([]);
      const late = await backup(place, ['delete', oldest], { disk: slow(['fsync'], 150), signal, at: `${place}/` });
      expect(late).toMatchObject({ code: 0, last: { snapshot: oldest } });
      expect((await snapshotsOf(place)).deleted).toEqual([oldest]);
      expect(await backup(place, ['undelete', oldest], { disk: slow(['getdents64'], 8), signal, at: `${place}/blobs` })).toMatchObject({
        code: 130,
        last: INTERRUPTED,
      });
      expect((await snapshotsOf(place)).deleted).toEqual([oldest]);
    },
    PATIENCE_MS,
  );
});

describeTraced('a server on a slow disk that is stopped while it takes a backup', () => {
  const settings = (place: string, more: Settings): Settings => ({
    ...{ MODELS_DIR: models, BACKUPS_DIR: place, EXAMPLES: 'off', DRAIN_SECONDS: '0', STOP_SECONDS: '1', BACKUP_SCHEDULE: 'off' },
    ...more,
  });
  const completed = (place: string): number =>
    existsSync(join(place, 'log')) ? readdirSync(join(place, 'log')).filter((name) => name.endsWith('.json')).length : 0;

  it(
    'finishes what somebody asked for, though it has cut that connection off, and ends well',
    async () => {
      const place = join(scratch, 'asked');
      const disk = slow(['fsync'], 250);
      const server = await servers.start(settings(place, {}), disk.under);
      const asked = fetch(`${server.origin}/api/v1/backups`, { method: 'POST' }).then(
        ({ status }) => status,
        () => 'cut off',
      );
      await disk.met(`${place}/`);
      expect(completed(place)).toBe(0);
      const { code } = await server.stop('SIGTERM');
      expect([code, await asked]).toEqual([0, 'cut off']);
      expect(await backup(place, ['verify', '--all'])).toMatchObject({ code: 0, last: { findings: 0, snapshots: [expect.any(String)] } });
      expect(readdirSync(join(place, '.staging'))).toEqual([]);
    },
    PATIENCE_MS,
  );

  it(
    'finishes what the schedule began, to its verification and its prune, and ends well',
    async () => {
      const place = join(scratch, 'scheduled');
      const disk = slow(['fsync'], 200);
      const server = await servers.start(settings(place, { BACKUP_SCHEDULE: '* * * * *' }), disk.under);
      await disk.met(`${place}/`);
      expect(completed(place)).toBe(0);
      const { code } = await server.stop('SIGTERM');
      expect(code).toBe(0);
      expect(server.log.filter(({ msg }) => msg === 'backup done')).toHaveLength(1);
      const { lines } = await backup(place, ['list']);
      expect(lines).toEqual([expect.objectContaining({ trigger: 'schedule', verified: expect.anything() }), expect.anything()]);
      expect(await backup(place, ['verify', '--all'])).toMatchObject({ code: 0, last: { findings: 0 } });
    },
    PATIENCE_MS,
  );
});
