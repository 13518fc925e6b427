import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { linear } from '../onnx/models';
import { Servers, type ServerProcess } from './server-process';

const MAIN = join(__dirname, '..', '..', 'dist', 'main.js');

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line in a process of its own. */
function command(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Run> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { env, cwd: tmpdir(), timeout: 15_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

const parsed = ({ stdout }: Run): readonly Record<string, unknown>[] =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

const servers = new Servers();
const scratch = mkdtempSync(join(tmpdir(), 'analytics-api-fsck-'));
let server: ServerProcess;
let blob: string; // of the model `double`, from the root of the registry on

beforeAll(async () => {
  server = await servers.start({ MODELS_DIR: join(scratch, 'served'), EXAMPLES: 'off' });
  await server.serve('double', linear([[2]]));
  await server.serve('triple', linear([[3]]));
  const { body } = await server.get('/api/v1/models/double/versions/1');
  const { sha256 } = body.files[0];
  blob = join('blobs', 'sha256', sha256.slice(0, 2), sha256);
});
afterAll(async () => {
  await servers.remove();
  rmSync(scratch, { recursive: true, force: true });
});

/** A copy of the registry that a test may harm. */
async function copy(): Promise<string> {
  const folder = mkdtempSync(join(scratch, 'copy-'));
  await cp(server.modelsDir, folder, { recursive: true });
  return folder;
}

async function overwrite(path: string, content: string | Buffer): Promise<void> {
  await chmod(path, 0o644);
  writeFileSync(path, content);
}

describe('analytics-api fsck', () => {
  it('finds nothing wrong beside a server that works, and disturbs nothing', async () => {
    const before = readdirSync(server.modelsDir, { recursive: true }).sort();
    const run = await command(['fsck', '--json', '--models-dir', server.modelsDir]);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(parsed(run)).toEqual([{ code: 0, reason: expect.stringMatching(/^All is well/), fatal: 0, damage: 0, note: 0, repaired: 0 }]);
    expect(readdirSync(server.modelsDir, { recursive: true }).sort()).toEqual(before);
    expect((await server.predict('double', { instances: [[21]] })).body.predictions[0].prediction).toBe(42);
  });

  it('finds no damage, and does none, while a server takes uploads', async () => {
    const uploads = (async () => {
      for (let weight = 10; weight < 16; weight++) await server.serve(`busy-${weight}`, linear([[weight]]));
    })();
    const runs = [
      await command(['fsck', '--json', '--models-dir', server.modelsDir]),
      await command(['fsck', '--json', '--repair', '--models-dir', server.modelsDir]),
    ];
    await uploads;
    for (const run of runs) {
      expect(run).toMatchObject({ code: 0, stderr: '' });
      expect(parsed(run).at(-1)).toMatchObject({ code: 0, fatal: 0, damage: 0, repaired: 0 });
    }
    const after = await command(['fsck', '--json', '--models-dir', server.modelsDir]);
    expect(parsed(after)).toHaveLength(1);
    expect((await server.predict('busy-15', { instances: [[2]] })).body.predictions[0].prediction).toBe(30);
  });

  it('takes the folder from the environment, as the server does', async () => {
    expect(await command(['fsck'], { MODELS_DIR: server.modelsDir })).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^All is well/),
    });
    expect(await command(['fsck'], { MODELS_DIR: join(scratch, 'nowhere') })).toMatchObject({ code: 10, stderr: '' });
    expect(await command(['fsck'], { MODELS_DIR: server.modelsDir, PORT: 'abc' })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('PORT=abc'),
    });
  });

  it('names the version whose file is damaged (3)', async () => {
    const folder = await copy();
    await overwrite(join(folder, blob), 'rotten');
    const run = await command(['fsck', '--json', '--models-dir', folder]);
    expect(run).toMatchObject({ code: 3, stderr: '' });
    const [finding, ...more] = parsed(run);
    expect(finding).toMatchObject({
      code: 'BLOB_DAMAGED',
      severity: 'damage',
      subject: blob.split('/').at(-1),
      detail: expect.stringContaining('double 1'),
    });
    expect(more).toEqual([{ code: 3, reason: expect.stringMatching(/^Versions are damaged/), fatal: 0, damage: 1, note: 0, repaired: 0 }]);
  });

  it('names the event that is damaged (1), as the start of a server does', async () => {
    const folder = await copy();
    await overwrite(join(folder, 'log', '00000000000000000003.json'), 'junk');
    const run = await command(['fsck', '--models-dir', folder]);
    expect(run).toMatchObject({ code: 1, stderr: '' });
    expect(run.stdout).toMatch(/^fatal {2}LOG_DAMAGED event 3: Event 3 of the log cannot be trusted: it is no JSON$/m);
    const refused = servers.launch({ MODELS_DIR: folder });
    await refused.ended();
    expect(refused.stderr).toContain('Event 3 of the log cannot be trusted: it is no JSON');
  });

  it('writes a lost file again whose bytes lie under another name, and a server then serves it', async () => {
    const folder = await copy();
    const bytes = readFileSync(join(folder, blob));
    renameSync(join(folder, blob), join(folder, `${blob}.99`));
    const settings = { MODELS_DIR: folder, EXAMPLES: 'off' };
    expect((await command(['fsck'], settings)).code).toBe(3);
    const run = await command(['fsck', '--repair', '--json'], settings);
    expect(run.code).toBe(0);
    expect(parsed(run)[0]).toMatchObject({ code: 'BLOB_MISSING', repaired: expect.stringContaining('.99') });
    expect(readFileSync(join(folder, blob))).toEqual(bytes);
    expect(readFileSync(join(folder, `${blob}.99`))).toEqual(bytes);
    const mended = await servers.start(settings);
    expect((await mended.predict('double', { instances: [[21]] })).body.predictions[0].prediction).toBe(42);
  });
});

describe('the command line', () => {
  it('tells how it is used on standard output where it was asked (0), else on standard error (64)', async () => {
    const help = await command(['--help']);
    expect(help).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('usage: analytics-api') });
    expect(await command(['frobnicate'])).toMatchObject({
      code: 64,
      stdout: '',
      stderr: expect.stringContaining('There is no command "frobnicate"'),
    });
    expect(await command(['fsck', '--frobnicate'])).toMatchObject({
      code: 64,
      stdout: '',
      stderr: expect.stringContaining('--frobnicate'),
    });
  });
});
