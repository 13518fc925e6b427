import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { flipBit } from '../backup/backup-house';
import { linear } from '../onnx/models';
import { until } from './processes';
import { type ServerProcess, Servers, type Settings } from './server-process';

const MAIN = join(__dirname, '..', '..', 'dist', 'main.js');
/** Each test is many processes, one after another, on a machine that may be busy. */
const PATIENCE_MS = 120_000;
const DOUBLE = linear([[2]]);
/** In a file, and as the name of a model: what must not be found in what was stolen. */
const CANARY = 'salaries-of-the-board';

jest.setTimeout(PATIENCE_MS);

interface Run {
  readonly code: number;
  readonly stdout: string;
}

const servers = new Servers();
const scratch = mkdtempSync(join(tmpdir(), 'analytics-api-disasters-'));
/** A registry in which version 1 of double is in production, and one snapshot of it. */
const good = { models: join(scratch, 'good', 'models'), backups: join(scratch, 'good', 'backups') };
const key = join(scratch, 'backup.key');
const otherKey = join(scratch, 'other.key');
/** Folders of the test's own. */
let place: { readonly models: string; readonly backups: string };

const settings = (more: Settings = {}): Settings => ({
  MODELS_DIR: place.models,
  BACKUPS_DIR: place.backups,
  EXAMPLES: 'off',
  BACKUP_SCHEDULE: 'off',
  ...more,
});

function command(args: readonly string[], more: Settings = {}): Promise<Run> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { env: settings(more), cwd: scratch, timeout: PATIENCE_MS }, (error, stdout) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout }),
    );
  });
}

async function answer(server: ServerProcess): Promise<number> {
  const { status, body } = await server.predict('double', { instances: [[21]] });
  return status === 200 ? body.predictions[0].prediction : status;
}

/** What a server answers that starts on the folder, and the history that it tells. */
async function restarted(): Promise<{ readonly answer: number; readonly kinds: readonly string[] }> {
  const server = await servers.start(settings());
  const told = await server.ask('GET', '/api/v1/models/double/history');
  const answered = await answer(server);
  await server.stop();
  return { answer: answered, kinds: told.body.events.map(({ kind }: { kind: string }) => kind) };
}

const blobOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const pathOf = (root: string, sha256: string): string => join(root, 'blobs', 'sha256', sha256.slice(0, 2), sha256);

beforeAll(async () => {
  writeFileSync(key, 'one key of more than thirty-two bytes, kept elsewhere', { mode: 0o600 });
  writeFileSync(otherKey, 'another key of more than thirty-two bytes, quite so', { mode: 0o600 });
  place = good;
  const server = await servers.start(settings());
  await server.serve('double', DOUBLE);
  await server.stop();
  expect(await command(['backup', 'run'])).toMatchObject({ code: 0 });
});
beforeEach(async () => {
  const root = mkdtempSync(join(scratch, 'place-'));
  await cp(join(scratch, 'good'), root, { recursive: true });
  place = { models: join(root, 'models'), backups: join(root, 'backups') };
});
afterAll(async () => {
  await servers.remove();
  rmSync(scratch, { recursive: true, force: true });
});

describe('a disaster', () => {
  it('the volume of the registry is lost: it is restored, with its history', async () => {
    await rm(place.models, { recursive: true });
    expect(await command(['backup', 'restore', 'latest', '--yes'])).toMatchObject({ code: 0 });
    expect(await restarted()).toEqual({ answer: 42, kinds: ['registry.restored', 'stage.changed', 'version.published'] });
  });

  it('the wrong version was promoted: a rollback is one call, and a restore brings back whatever else was changed', async () => {
    const server = await servers.start(settings());
    await server.serve('double', linear([[3]]));
    expect(await answer(server)).toBe(63);
    await server.ask('POST', '/api/v1/models/double/rollback', {});
    expect(await answer(server)).toBe(42);
    await server.ask('POST', '/api/v1/models/double/versions/2/promote', { stage: 'production' });
    await server.ask('PATCH', '/api/v1/models/double', { description: 'by a slip' });
    expect(await command(['backup', 'restore', 'latest', '--yes'])).toMatchObject({ code: 0 });
    await until('the server follows', async () => (await answer(server)) === 42);
    expect((await server.ask('GET', '/api/v1/models/double')).body).toMatchObject({ description: '', production: 1 });
    await server.stop();
  });

  it('a model was deleted: it is undeleted, or restored where its bytes are gone', async () => {
    const server = await servers.start(settings());
    const deleteIt = async (): Promise<void> => {
      await server.ask('POST', '/api/v1/models/double/versions/1/promote', { stage: 'archived' });
      expect((await server.ask('DELETE', '/api/v1/models/double')).status).toBe(204);
      expect(await answer(server)).toBe(404);
    };
    await deleteIt();
    expect((await server.ask('POST', '/api/v1/models/double/undelete')).status).toBe(200);
    await deleteIt();
    await rm(pathOf(place.models, blobOf(DOUBLE)));
    expect((await server.ask('POST', '/api/v1/models/double/undelete')).body).toMatchObject({ code: 'BYTES_COLLECTED' });
    expect(await command(['backup', 'restore', 'latest', '--model', 'double', '--yes'])).toMatchObject({ code: 0 });
    await until('the server follows', async () => (await answer(server)) === 42);
    await server.stop();
  });

  it('a bit flipped in the registry: it is named, never served, and healed', async () => {
    await flipBit(pathOf(place.models, blobOf(DOUBLE)), 100, 3);
    expect(await command(['fsck'])).toMatchObject({ code: 3, stdout: expect.stringContaining(blobOf(DOUBLE)) });
    expect((await restarted()).answer).toBe(503);
    expect(await command(['backup', 'restore', 'latest', '--model', 'double', '--no-safety', '--yes'])).toMatchObject({ code: 0 });
    expect(await command(['fsck'])).toMatchObject({ code: 0 });
    expect((await restarted()).answer).toBe(42);
  });

  it('a bit flipped in a backup: it is named, and the next backup heals it', async () => {
    await flipBit(pathOf(place.backups, blobOf(DOUBLE)), 100, 3);
    expect(await command(['backup', 'verify', '--all'])).toMatchObject({ code: 3, stdout: expect.stringContaining(blobOf(DOUBLE)) });
    expect(await command(['backup', 'run'])).toMatchObject({ code: 0 });
    expect(await command(['backup', 'verify', '--all'])).toMatchObject({ code: 0 });
  });

  it('a backup was stolen: where it is encrypted it tells neither models nor their names, and cannot be used', async () => {
    const server = await servers.start(settings());
    await server.serve(CANARY, linear([[7]]));
    await server.stop();
    await rm(place.backups, { recursive: true });
    expect(await command(['backup', 'run'], { BACKUP_KEY_FILE: key, BACKUP_ENCRYPT: 'on' })).toMatchObject({ code: 0 });
    const files = readdirSync(place.backups, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(files.length).toBeGreaterThan(4);
    for (const { parentPath, name } of files) {
      const bytes = readFileSync(join(parentPath, name));
      expect([bytes.includes(CANARY), bytes.includes('double'), bytes.equals(DOUBLE)]).toEqual([false, false, false]);
    }
    await rm(place.models, { recursive: true });
    for (const thief of [{}, { BACKUP_KEY_FILE: otherKey }] as const) {
      expect(await command(['backup', 'restore', 'latest', '--yes'], thief)).toMatchObject({ code: 12 });
    }
    expect(existsSync(join(place.models, 'log'))).toBe(false);
    expect(await command(['backup', 'restore', 'latest', '--yes'], { BACKUP_KEY_FILE: key })).toMatchObject({ code: 0 });
  });

  it('the key is lost: what it encrypted is lost with it, what it only signed is not, and another key begins anew', async () => {
    await rm(place.backups, { recursive: true });
    expect(await command(['backup', 'run'], { BACKUP_KEY_FILE: key, BACKUP_ENCRYPT: 'on' })).toMatchObject({ code: 0 });
    const lost = await command(['backup', 'restore', 'latest', '--yes'], { BACKUP_KEY_FILE: otherKey });
    expect(lost).toMatchObject({ code: 12 });
    const anew = { BACKUP_KEY_FILE: otherKey, BACKUP_ENCRYPT: 'on' };
    expect(await command(['backup', 'run'], anew)).toMatchObject({ code: 0 });
    await rm(place.models, { recursive: true });
    expect(await command(['backup', 'restore', 'latest', '--yes'], anew)).toMatchObject({ code: 0 });
    expect((await restarted()).answer).toBe(42);
    await rm(place.backups, { recursive: true });
    expect(await command(['backup', 'run'], { BACKUP_KEY_FILE: key })).toMatchObject({ code: 0 });
    await rm(place.models, { recursive: true });
    expect(await command(['backup', 'restore', 'latest', '--yes'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('signature unchecked'),
    });
    expect((await restarted()).answer).toBe(42);
  });

  it('machine and backups are gone: an export that was kept elsewhere is all that is needed', async () => {
    const file = join(scratch, 'kept-elsewhere.tar.gz');
    expect(await command(['backup', 'export', 'latest', '--output', file])).toMatchObject({ code: 0 });
    await rm(place.models, { recursive: true });
    await rm(place.backups, { recursive: true });
    expect(await command(['backup', 'restore', '--from', file, '--yes'])).toMatchObject({ code: 0 });
    expect((await restarted()).answer).toBe(42);
  });

  it('the backups are lost: the next one is whole', async () => {
    await rm(place.backups, { recursive: true });
    expect(await command(['backup', 'run'])).toMatchObject({ code: 0 });
    expect(await command(['backup', 'verify'])).toMatchObject({ code: 0 });
  });
});
