import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { linear } from '../onnx/models';
import { type ServerProcess, Servers } from './server-process';

const MAIN = join(__dirname, '..', '..', 'dist', 'main.js');
const INTERRUPTED = { code: 130, reason: 'Interrupted; nothing is half done' };
const ID = /^[0-9]{8}T[0-9]{6}Z-[0-9]+-[0-9a-f]{4}$/;
const LARGE = linear(Array.from({ length: 1000 }, () => Array.from({ length: 1000 }, () => Math.random())));

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const servers = new Servers();
const scratch = mkdtempSync(join(tmpdir(), 'analytics-api-backup-'));
const backupsDir = join(scratch, 'backups');
let server: ServerProcess;

/** A command in a process of its own; by default of the registry that the server serves. */
function backup(place: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Run> {
  const folders = { MODELS_DIR: server.modelsDir, BACKUPS_DIR: place };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [MAIN, 'backup', ...args],
      { env: { ...folders, ...env }, cwd: scratch, timeout: 15_000 },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

const parsed = ({ stdout }: Run): readonly Record<string, unknown>[] =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
const lastOf = (run: Run): Record<string, any> => parsed(run).at(-1) as Record<string, any>; // oxlint-disable-line typescript/no-explicit-any
const fresh = (): string => join(mkdtempSync(join(scratch, 'place-')), 'backups');

async function taken(place: string, ...args: readonly string[]): Promise<string> {
  const run = await backup(place, ['run', '--json', ...args]);
  expect(run).toMatchObject({ code: 0, stderr: '' });
  return String(lastOf(run)['snapshot'].id);
}

beforeAll(async () => {
  server = await servers.start({ MODELS_DIR: join(scratch, 'served'), BACKUPS_DIR: backupsDir, EXAMPLES: 'off', BACKUP_SCHEDULE: 'off' });
  await server.serve('double', linear([[2]]));
  await server.serve('large', LARGE);
});
afterAll(async () => {
  await servers.remove();
  rmSync(scratch, { recursive: true, force: true });
});

describe('analytics-api backup', () => {
  it('works beside a server that works, which knows of it at once, and with none', async () => {
    const place = backupsDir;
    const id = await taken(place);
    expect(id).toMatch(ID);
    expect((await server.predict('double', { instances: [[21]] })).body.predictions[0].prediction).toBe(42);
    expect((await server.get('/api/v1/backups/latest')).body).toMatchObject({
      id,
      trigger: 'manual',
      models: [{ name: 'double' }, { name: 'large' }],
    });
    const { body: second } = await server.ask('POST', '/api/v1/backups');
    expect(lastOf(await backup(place, ['show', 'latest', '--json']))).toMatchObject({ code: 0 });
    expect((await backup(place, ['list'])).stdout).toContain(second.id);
    const models = join(scratch, 'copied');
    await cp(server.modelsDir, models, { recursive: true });
    const folders = ['--models-dir', models, '--backups-dir', place];
    expect(lastOf(await backup('/nowhere', ['run', ...folders, '--json'], { MODELS_DIR: '/none' }))).toMatchObject({ code: 0 });
    expect(await backup('/nowhere', ['verify', '--all', ...folders])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^All is well: 3 snapshots/),
    });
  });

  it('exports to standard output what tar opens and sha256sum bears out, the same bytes as over HTTP', async () => {
    const id = await taken(backupsDir);
    const folder = mkdtempSync(join(scratch, 'export-'));
    const env = { MODELS_DIR: server.modelsDir, BACKUPS_DIR: backupsDir };
    const piped = execFileSync(process.execPath, [MAIN, 'backup', 'export', id, '--output', '-', '--json'], {
      ...{ env, maxBuffer: 2 ** 26, stdio: ['ignore', 'pipe', 'ignore'] },
    });
    const answer = await fetch(`${server.origin}/api/v1/backups/${id}/archive`);
    expect(Buffer.from(await answer.arrayBuffer()).equals(piped)).toBe(true);
    execFileSync('tar', ['-xzf', '-'], { cwd: folder, input: piped });
    execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: folder });
    expect(readFileSync(join(folder, 'models/large/1/model.onnx')).equals(LARGE)).toBe(true);
  });

  describe('that somebody interrupts', () => {
    /** Starts a command and presses Ctrl-C after so long. */
    async function interrupted(place: string, args: readonly string[], ms: number): Promise<Run & { readonly signal: string | null }> {
      const env = { MODELS_DIR: server.modelsDir, BACKUPS_DIR: place };
      const child: ChildProcess = spawn(process.execPath, [MAIN, 'backup', ...args], {
        env,
        cwd: scratch,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let [stdout, stderr] = ['', ''];
      child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
      child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
      const closed = once(child, 'close');
      await Promise.race([sleep(ms), closed]);
      child.kill('SIGINT');
      const [code, signal] = (await closed) as [number | null, string | null];
      return { code: code ?? -1, signal, stdout, stderr };
    }

    it('at any moment ends with 130 or was done, and leaves no half snapshot', async () => {
      const place = fresh();
      await taken(place);
      let done = 1;
      for (let time = 0; time < 5; time++) {
        const { code, signal, stdout } = await interrupted(place, ['run', '--rehash', '--json'], 150 + Math.random() * 650);
        const end = signal ?? String(code);
        expect(['0', '130', 'SIGINT']).toContain(end);
        expect(end === '130' ? JSON.parse(stdout) : INTERRUPTED).toEqual(INTERRUPTED);
        if (end === '0' || (end === 'SIGINT' && stdout !== '')) done++; // that one may come when all is over
      }
      expect(parsed(await backup(place, ['list', '--json'])).slice(0, -1)).toHaveLength(done);
      expect((await backup(place, ['verify', '--all'])).code).toBe(0);
      expect(readdirSync(join(place, '.staging'))).toEqual([]);
    });

    it('while it exports leaves no part of a file', async () => {
      const place = backupsDir;
      await taken(place);
      const folder = mkdtempSync(join(scratch, 'interrupted-'));
      for (let time = 0; time < 3; time++) {
        const file = join(folder, `${time}.tar.gz`);
        const { code } = await interrupted(place, ['export', 'latest', '--output', file, '--json'], 150 + Math.random() * 550);
        if (code === 0) execFileSync('tar', ['-tzf', file], { stdio: 'ignore' });
        expect(readdirSync(folder)).toEqual(code === 0 ? [`${time}.tar.gz`] : []);
        await rm(file, { force: true });
      }
    });
  });
});
