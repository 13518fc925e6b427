import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ServerProcess, Servers } from './server-process';

const ROOT = join(__dirname, '../..');
const MAIN = join(ROOT, 'dist', 'main.js');
const EXAMPLES = readdirSync(join(ROOT, 'examples')).sort();
/** What of an example is uploaded. */
const filesOf = (name: string): readonly string[] =>
  readdirSync(join(ROOT, 'examples', name)).filter((file) => /^(model\.(onnx|json)|.*\.bin)$/.test(file));
/** Each file, and the log. */
const OBJECTS = EXAMPLES.flatMap(filesOf).length + 1;
const FIGURES = ['restoreMs', 'verifyMs', 'loadMs', 'replayMs', 'ms'] as const;

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

describe('a drill of the real examples', () => {
  const servers = new Servers();
  const scratch = mkdtempSync(join(tmpdir(), 'analytics-api-drill-'));
  const folders = { MODELS_DIR: join(scratch, 'models'), BACKUPS_DIR: join(scratch, 'backups') };
  let server: ServerProcess;
  let id: string;
  let goldenRows = 0;

  function drill(...args: readonly string[]): Promise<Run> {
    return new Promise((resolve) => {
      execFile(process.execPath, [MAIN, 'backup', 'drill', ...args], { env: folders, cwd: scratch }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
      );
    });
  }
  // the tests say what they expect of it
  type Line = Record<string, any>; // oxlint-disable-line typescript/no-explicit-any
  const parsed = ({ stdout }: Run): readonly Line[] =>
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
  const kinds = (): readonly string[] =>
    readdirSync(join(folders.BACKUPS_DIR, 'log')).map(
      (name) => JSON.parse(readFileSync(join(folders.BACKUPS_DIR, 'log', name), 'utf8')).kind,
    );
  const metrics = async (): Promise<string> => (await fetch(`${server.origin}/metrics`)).text();

  beforeAll(async () => {
    server = await servers.start({ ...folders, EXAMPLES: 'off', BACKUP_SCHEDULE: 'off', DRILL_SCHEDULE: 'off' });
    for (const name of EXAMPLES) {
      const metadata = readFileSync(join(ROOT, 'examples', name, 'metadata.json'), 'utf8');
      goldenRows += (JSON.parse(metadata) as { readonly golden?: readonly unknown[] }).golden?.length ?? 0;
      const form = new FormData();
      for (const [field, value] of [['name', name], ['metadata', metadata], ['stage', 'production']] as const) form.set(field, value); // prettier-ignore
      for (const file of filesOf(name)) form.append('file', new Blob([readFileSync(join(ROOT, 'examples', name, file))]), file);
      expect((await fetch(`${server.origin}/api/v1/models`, { method: 'POST', body: form })).status).toBe(201);
    }
    ({ id } = (await server.ask('POST', '/api/v1/backups')).body);
  });
  afterAll(async () => {
    await servers.remove();
    rmSync(scratch, { recursive: true, force: true });
  });

  /** Everything of the snapshot was restored, and answered. */
  function expectGood(drilled: Record<string, number>): void {
    expect(drilled).toMatchObject({ id, ok: true, newest: true, objects: OBJECTS, models: EXAMPLES.length, goldenRows });
    for (const figure of FIGURES) expect([figure, Number.isInteger(drilled[figure])]).toEqual([figure, true]);
    expect(drilled['bytes']).toBeGreaterThan(1000);
    expect(drilled['loadMs']).toBeGreaterThan(0);
    expect(readdirSync(join(folders.BACKUPS_DIR, '.staging'))).toEqual([]);
  }

  it('is good by the command line, beside the server, which knows of it', async () => {
    expect(goldenRows).toBeGreaterThan(EXAMPLES.length);
    const run = await drill('--json');
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const [drilled = {}, last] = parsed(run);
    expectGood(drilled);
    expect(last).toMatchObject({ code: 0, ok: true, snapshots: [id], reason: 'All is well: 1 snapshot restored, and serving' });
    expect((await server.get('/api/v1/backups/latest')).body.drilled).toMatchObject({ ok: true, ms: drilled['ms'] });
    expect((await server.get('/health')).body.details.backup.drill).toMatchObject({ lastRun: { ok: true }, failed: [] });
    const { stdout } = await drill('latest');
    expect(stdout).toMatch(new RegExp(`^${id}: ${OBJECTS} objects, .*; ${EXAMPLES.length} models loaded, ${goldenRows} golden rows`));
  });

  it('is good over HTTP, of the newest and of an older one', async () => {
    const { body: second } = await server.ask('POST', '/api/v1/backups');
    const { status, body } = await server.ask('POST', '/api/v1/backups/drill', {});
    expect([status, body.ok, body.snapshots.map((each: { readonly id: string }) => each.id)]).toEqual([200, true, [second.id, id]]);
    id = second.id;
    expectGood(body.snapshots[0]);
    expect(await metrics()).toContain('restore_drill_runs_total{outcome="completed"} 1');
    expect(kinds().filter((kind) => kind === 'snapshot.drilled')).toHaveLength(4);
  });

  it('fails where one bit is flipped, and names the file, by both ways', async () => {
    const { objects } = JSON.parse(readFileSync(join(folders.BACKUPS_DIR, 'snapshots', `${id}.json`), 'utf8'));
    const { stored } = objects.find(({ kind }: { readonly kind: string }) => kind === 'blob');
    const path = `blobs/sha256/${stored.slice(0, 2)}/${stored}`;
    const bytes = readFileSync(join(folders.BACKUPS_DIR, path));
    bytes[100]! ^= 1;
    chmodSync(join(folders.BACKUPS_DIR, path), 0o644);
    writeFileSync(join(folders.BACKUPS_DIR, path), bytes);
    const failure = { phase: 'restoring', reason: 'digest', objects: [path] };
    const { body } = await server.ask('POST', '/api/v1/backups/drill', { id: 'latest' });
    expect(body).toMatchObject({ ok: false, snapshots: [{ id, ok: false, failure }] });
    const run = await drill('latest', '--json');
    expect([run.code, parsed(run)[0]?.['failure']]).toEqual([3, expect.objectContaining(failure)]);
    expect((await drill('latest')).stdout).toContain(`${id}: FAILED while restoring: digest: `);
    const { status, body: health } = await server.get('/health');
    expect([status, health.status]).toEqual([200, 'degraded']);
    expect(health.details.backup.worries).toContain(`the drill of ${id} failed while restoring: digest`);
    expect((await server.get('/health/ready')).status).toBe(200);
    for (const name of EXAMPLES) {
      const request = JSON.parse(readFileSync(join(ROOT, 'examples', name, 'request.json'), 'utf8')) as object;
      expect((await server.predict(name, request)).status).toBe(200);
    }
  });
});
