import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { linear } from '../onnx/models';
import { until } from './processes';
import { type ServerProcess, Servers } from './server-process';

const MAIN = join(__dirname, '..', '..', 'dist', 'main.js');
/** Each test is many processes, one after another, on a machine that may be busy. */
const PATIENCE_MS = 120_000;
/** A second, and what a busy machine adds. */
const FOLLOWS_MS = 10_000;
const LARGE = linear(Array.from({ length: 1000 }, () => Array.from({ length: 1000 }, () => Math.random())));

jest.setTimeout(PATIENCE_MS);

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const servers = new Servers();
const scratch = mkdtempSync(join(tmpdir(), 'analytics-api-restore-'));
const backupsDir = join(scratch, 'backups');
/** Serves double and large; double answers twice its input in the snapshot, and three times since. */
let server: ServerProcess;
let snapshot: string;
let archive: string;

/** A command in a process of its own. */
function command(modelsDir: string, ...args: readonly string[]): Promise<Run> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [MAIN, 'backup', ...args],
      { env: { MODELS_DIR: modelsDir, BACKUPS_DIR: backupsDir }, cwd: scratch, timeout: PATIENCE_MS },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

const lastOf = ({ stdout }: Run): Record<string, unknown> => JSON.parse(stdout.trimEnd().split('\n').at(-1) as string);
const fresh = (): string => join(mkdtempSync(join(scratch, 'place-')), 'models');

async function answer(of: ServerProcess): Promise<number> {
  const { status, body } = await of.predict('double', { instances: [[21]] });
  return status === 200 ? body.predictions[0].prediction : status;
}

/** What a server answers that starts on a folder. */
async function answerOn(modelsDir: string): Promise<number> {
  const other = await servers.start({ MODELS_DIR: modelsDir, BACKUPS_DIR: backupsDir, EXAMPLES: 'off', BACKUP_SCHEDULE: 'off' });
  const answered = await answer(other);
  await other.stop();
  return answered;
}

beforeAll(async () => {
  server = await servers.start({ MODELS_DIR: join(scratch, 'served'), BACKUPS_DIR: backupsDir, EXAMPLES: 'off', BACKUP_SCHEDULE: 'off' });
  await server.serve('double', linear([[2]]));
  await server.serve('large', LARGE);
  snapshot = (await server.ask('POST', '/api/v1/backups')).body.id;
  archive = join(scratch, 'export.tar.gz');
  expect(await command(server.modelsDir, 'export', snapshot, '--output', archive)).toMatchObject({ code: 0 });
  await server.serve('double', linear([[3]]));
});
afterAll(async () => {
  await servers.remove();
  rmSync(scratch, { recursive: true, force: true });
});

describe('analytics-api backup restore', () => {
  it.each(['a snapshot', 'an export'])('makes an empty place the registry of %s, on which a server starts and predicts', async (what) => {
    const models = fresh();
    const source = what === 'an export' ? ['--from', archive] : [snapshot];
    const planned = await command(models, 'restore', ...source);
    expect({ ...planned, there: readdirSync(join(models, '..')) }).toMatchObject({
      code: 64,
      stdout: expect.stringContaining('Nothing was changed'),
      there: [],
    });
    expect(await command(models, 'restore', ...source, '--yes', '--json')).toMatchObject({ code: 0, stderr: '' });
    expect(await answerOn(models)).toBe(42);
  });

  it('beside a server that works is followed by it within a second, while every prediction is answered', async () => {
    expect(await answer(server)).toBe(63);
    const seen = new Set<number>();
    let asking = true;
    const caller = (async () => {
      while (asking) seen.add(await answer(server));
    })();
    const run = await command(server.modelsDir, 'restore', snapshot, '--yes', '--json');
    expect(run).toMatchObject({ code: 0 });
    await until('the server follows', async () => (await answer(server)) === 42, FOLLOWS_MS);
    asking = false;
    await caller;
    expect([...seen].toSorted()).toEqual([42, 63]);
    const safety = String(lastOf(run)['safety']);
    expect(await command(server.modelsDir, 'restore', '--from', archive, '--model', 'double', '--yes')).toMatchObject({ code: 0 });
    await until('the server still does', async () => (await answer(server)) === 42, FOLLOWS_MS);
    expect(await command(server.modelsDir, 'restore', safety, '--yes')).toMatchObject({ code: 0 });
    await until('the server follows back', async () => (await answer(server)) === 63, FOLLOWS_MS);
  });

  it.each([
    [10, ['latest', '--yes'], { BACKUPS_DIR: '/nowhere' }],
    [10, ['--from', '/nowhere.tar.gz', '--yes'], {}],
    [64, ['--yes'], {}],
    [64, ['latest', '--version', '1', '--yes'], {}],
  ] as const)('ends with %i for %j', async (code, args, env) => {
    const places = ['BACKUPS_DIR' in env ? ['--backups-dir', env.BACKUPS_DIR] : []].flat();
    const run = await command(fresh(), 'restore', ...args, ...places, '--json');
    expect({ code: run.code, last: lastOf(run) }).toMatchObject({ code, last: { code, reason: expect.any(String) } });
  });

  describe('that somebody interrupts', () => {
    let spanMs: number;
    /** A moment in which it may be anywhere, as long as it takes here and now. */
    const moment = (): number => spanMs * (0.2 + Math.random());
    beforeAll(async () => {
      const began = performance.now();
      expect(await command(fresh(), 'restore', snapshot, '--yes')).toMatchObject({ code: 0 });
      spanMs = performance.now() - began;
    });

    /** Starts a restore and presses Ctrl-C after so long. @returns how it ended */
    async function interrupted(modelsDir: string, args: readonly string[], ms: number): Promise<string> {
      const child: ChildProcess = spawn(process.execPath, [MAIN, 'backup', 'restore', ...args, '--yes', '--json'], {
        env: { MODELS_DIR: modelsDir, BACKUPS_DIR: backupsDir },
        cwd: scratch,
        stdio: 'ignore',
      });
      const closed = once(child, 'close');
      await Promise.race([sleep(ms), closed]);
      child.kill('SIGINT');
      const [code, signal] = (await closed) as [number | null, string | null];
      return signal ?? String(code);
    }

    it('at any moment leaves an empty place empty or whole', async () => {
      for (let time = 0; time < 6; time++) {
        const models = fresh();
        const end = await interrupted(models, time % 2 === 0 ? [snapshot] : ['--from', archive], moment());
        expect(['0', '130', 'SIGINT']).toContain(end);
        const whole = readdirSync(join(models, '..')).length > 0 && readdirSync(models).includes('log');
        expect(end === 'SIGINT' ? [true, false] : [end === '0']).toContain(whole); // it may come when all is over
        expect(await command(models, 'restore', snapshot, '--yes', '--no-safety')).toMatchObject({ code: 0 }); // needs no hand
      }
    });

    it('at any moment leaves a registry as it was, or as it shall be', async () => {
      for (let time = 0; time < 4; time++) {
        const models = fresh();
        await cp(server.modelsDir, models, { recursive: true });
        const before = readdirSync(join(models, 'log')).length;
        const end = await interrupted(models, [snapshot], moment());
        expect(['0', '130', 'SIGINT']).toContain(end);
        const events = readdirSync(join(models, 'log')).length - before;
        expect(end === 'SIGINT' ? [0, 1] : [end === '0' ? 1 : 0]).toContain(events);
        expect(await answerOn(models)).toBe(events === 1 ? 42 : 63);
      }
    });
  });
});
