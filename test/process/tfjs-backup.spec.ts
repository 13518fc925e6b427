import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { linearTwin } from '../tfjs/twins';
import { type ServerProcess, Servers } from './server-process';

const MAIN = join(__dirname, '..', '..', 'dist', 'main.js');
/** Each test is several processes, one after another. */
jest.setTimeout(120_000);

describe('a backup of a TensorFlow.js model', () => {
  const servers = new Servers();
  const scratch = mkdtempSync(join(tmpdir(), 'analytics-api-tfjs-'));
  const backupsDir = join(scratch, 'backups');
  const settings = { BACKUPS_DIR: backupsDir, EXAMPLES: 'off', BACKUP_SCHEDULE: 'off', DRILL_SCHEDULE: 'off' };
  let server: ServerProcess;
  let snapshot: string;

  const command = (modelsDir: string, ...args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string }> =>
    new Promise((resolve) => {
      const env = { MODELS_DIR: modelsDir, BACKUPS_DIR: backupsDir };
      execFile(process.execPath, [MAIN, 'backup', ...args], { env, cwd: scratch }, (error, stdout) =>
        resolve({ code: error === null ? 0 : Number(error.code), stdout }),
      );
    });

  beforeAll(async () => {
    server = await servers.start({ ...settings, MODELS_DIR: join(scratch, 'served') });
    await server.serve('line', linearTwin([[2], [3]], [1]), { golden: [{ inputs: { x: [[10, 1]] }, outputs: { y: [[24]] } }] });
    snapshot = (await server.ask('POST', '/api/v1/backups')).body.id;
  });
  afterAll(async () => {
    await servers.remove();
    rmSync(scratch, { recursive: true, force: true });
  });

  it('is drilled: loaded from what was saved, its golden rows answered', async () => {
    const { code, stdout } = await command(server.modelsDir, 'drill', snapshot, '--json');
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('"goldenRows":1') });
  });

  const version = expect.objectContaining({ engine: 'tfjs', files: [expect.anything(), expect.anything()] });
  const answered = { status: 200, prediction: 24, version };

  it('is restored from a snapshot to an empty place, and served there with both of its files', async () => {
    expect(await restored(snapshot)).toEqual(answered);
  });

  it('is restored from an export as well', async () => {
    const archive = join(scratch, 'export.tar.gz');
    expect(await command(server.modelsDir, 'export', snapshot, '--output', archive)).toMatchObject({ code: 0 });
    expect(await restored('--from', archive)).toEqual(answered);
  });

  async function restored(...source: readonly string[]): Promise<object> {
    const models = join(mkdtempSync(join(scratch, 'place-')), 'models');
    expect(await command(models, 'restore', ...source, '--yes')).toMatchObject({ code: 0 });
    const other = await servers.start({ ...settings, MODELS_DIR: models });
    const { status, body } = await other.predict('line', { instances: [[10, 1]] });
    const { body: served } = await other.get('/api/v1/models/line/versions/1');
    await other.stop();
    return { status, prediction: body.predictions?.[0]?.prediction, version: served };
  }
});
