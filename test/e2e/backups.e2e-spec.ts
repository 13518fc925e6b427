import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { KeyOffice } from '../../src/auth/key-office';
import { openFiles } from '../archives/unpacked';
import { linear } from '../onnx/models';
import { describeInProcess, logLines, TestApp } from './test-app';

const BACKUPS = '/api/v1/backups';
const ID = /^[0-9]{8}T[0-9]{6}Z-[0-9]+-[0-9a-f]{4}$/;

const ROUTES = [
  ['get', ''],
  ['get', '/archive'],
  ['delete', ''],
  ['post', '/undelete'],
  ['post', '/verify'],
] as const;
/** Of 4 MiB that no compression makes less. */
const LARGE = linear(Array.from({ length: 1000 }, () => Array.from({ length: 1000 }, () => Math.random())));

// the folder of the snapshots is looked into, and harmed
describeInProcess('backups over HTTP', () => {
  let app: TestApp;
  let scratch: string;
  const backups = (): string => join(scratch, 'backups');
  const start = async (env: Readonly<Record<string, string>> = {}): Promise<void> => {
    app = await TestApp.start({ env: { BACKUPS_DIR: backups(), BACKUP_SCHEDULE: 'off', ...env } });
  };
  beforeEach(() => void (scratch = mkdtempSync(join(tmpdir(), 'analytics-api-backups-'))));
  afterEach(async () => {
    await app.close();
    rmSync(scratch, { recursive: true, force: true });
  });

  const run = async (): Promise<{ readonly id: string; readonly newBytes: number; readonly [member: string]: unknown }> =>
    (await app.request().post(BACKUPS).expect(201)).body;
  const verify = (id: string, body: object = {}) => app.request().post(`${BACKUPS}/${id}/verify`).send(body);
  const list = async (query = ''): Promise<readonly { id: string; damaged?: unknown; deleted?: unknown; verified?: unknown }[]> =>
    (await app.request().get(`${BACKUPS}${query}`).expect(200)).body.snapshots;

  /** With a body where a body is wanted. */
  const ask = async (method: (typeof ROUTES)[number][0], path: string) => {
    const caller = app.request();
    return caller[method](`${BACKUPS}/${path}`).send(path.endsWith('/verify') ? {} : undefined);
  };

  /** Where the first object of a kind lies. */
  const objectOf = (id: string, kind: 'blob' | 'events'): string => {
    const { objects } = JSON.parse(readFileSync(join(backups(), 'snapshots', `${id}.json`), 'utf8'));
    const { stored } = objects.find((object: { readonly kind: string }) => object.kind === kind);
    return join(backups(), 'blobs', 'sha256', stored.slice(0, 2), stored);
  };

  it('are taken, listed, shown with what is in them, and found at their Location', async () => {
    await start();
    await app.serve('double', linear([[2]]));
    expect(await list()).toEqual([]);
    const { body, headers } = await app.request().post(BACKUPS).expect(201);
    expect(body).toMatchObject({ id: expect.stringMatching(ID), trigger: 'manual', signed: false, encrypted: false, objects: 2 });
    expect(headers['location']).toBe(`${BACKUPS}/${body.id}`);
    expect(await list()).toEqual([body]);
    const { body: shown } = await app
      .request()
      .get(headers['location'] as string)
      .expect(200);
    expect(shown).toEqual({
      ...body,
      models: [{ name: 'double', production: 1, versions: [expect.objectContaining({ version: 1, stage: 'production' })] }],
    });
    expect((await app.request().get(`${BACKUPS}/latest`).expect(200)).body).toEqual(shown);
  });

  it('write next to nothing the second time, and newest comes first', async () => {
    await start();
    await app.serve('double', linear([[2]]));
    const first = await run();
    const second = await run();
    expect(second.newBytes).toBeLessThan(first.newBytes);
    expect((await list()).map(({ id }) => id)).toEqual([second.id, first.id]);
  });

  it('asked for at once are taken one after another, and each has what was there when it was asked for', async () => {
    await start();
    await app.serve('double', linear([[2]]));
    const taken = await Promise.all([run(), run(), run()]);
    expect(new Set(taken.map(({ id }) => id)).size).toBe(3);
    const spans = taken.map(({ createdAt, finishedAt }) => [String(createdAt), String(finishedAt)] as const).toSorted();
    for (const [at, [from]] of spans.entries()) if (at > 0) expect((spans[at - 1]?.[1] as string) <= from).toBe(true);
    expect(await list()).toHaveLength(3);
  });

  it('are verified: what is not as it was is named, and shown from then on', async () => {
    await start();
    await app.serve('double', linear([[2]]));
    const { id } = await run();
    const { body } = await verify(id).expect(200);
    expect(body).toMatchObject({ id, level: 'data', ok: true, findings: [], objectsRead: 2, signature: 'unsigned' });
    expect((await list())[0]?.verified).toMatchObject({ level: 'data' });
    expect((await verify('latest', { level: 'structure' }).expect(200)).body).toMatchObject({ level: 'structure', ok: true, bytesRead: 0 });
    expect((await list())[0]).toMatchObject({ verified: { level: 'data' }, lookedOver: { at: expect.any(String) } });
    const parts = await Promise.all([1, 2, 3].map(async (n) => (await verify(id, { subset: `${n}/3` }).expect(200)).body.objectsRead));
    expect(parts.reduce((sum, read) => sum + read, 0)).toBe(2);
    const blob = objectOf(id, 'blob');
    const bytes = await readFile(blob);
    bytes[10] = (bytes[10] as number) ^ 1;
    await chmod(blob, 0o644);
    await writeFile(blob, bytes);
    const { body: damaged } = await verify(id).expect(200);
    expect(damaged).toMatchObject({ ok: false, findings: [{ problem: 'digest', detail: expect.any(String) }] });
    expect((await list())[0]?.damaged).toHaveLength(1);
    await rm(blob);
    expect((await list())[0]?.damaged).toEqual(expect.arrayContaining([expect.stringContaining('missing')]));
  });

  it('are deleted with a reason, come back, and the newest verified one stays', async () => {
    await start();
    await app.serve('double', linear([[2]]));
    const [first, second] = [await run(), await run()];
    await app.request().delete(`${BACKUPS}/${first.id}?reason=of%20the%20wrong%20day`).expect(204);
    expect((await list()).map(({ id }) => id)).toEqual([second.id]);
    expect((await list('?deleted=true'))[1]).toMatchObject({ id: first.id, deleted: { reason: 'of the wrong day' } });
    expect((await app.request().post(`${BACKUPS}/latest/undelete`).expect(200)).body).toEqual(first);
    expect((await app.request().post(`${BACKUPS}/${first.id}/undelete`).expect(409)).body).toMatchObject({ code: 'SNAPSHOT_NOT_DELETED' });
    await verify(second.id).expect(200);
    expect((await app.request().delete(`${BACKUPS}/latest`).expect(409)).body).toMatchObject({ code: 'NEWEST_VERIFIED' });
  });

  it('are pruned by the retention, as the dry run says', async () => {
    await start({ BACKUP_KEEP_DAILY: '0', BACKUP_KEEP_LAST: '1' });
    await app.serve('double', linear([[2]]));
    const [first, second] = [await run(), await run()];
    await verify(first.id).expect(200);
    await verify(second.id).expect(200);
    const { body: plan } = await app.request().post(`${BACKUPS}/prune`).send({ dryRun: true }).expect(200);
    expect(plan).toMatchObject({ dryRun: true, deleted: [first.id], removed: [] });
    expect(plan.plan.snapshots).toEqual([
      expect.objectContaining({ id: second.id, keep: true }),
      expect.objectContaining({ id: first.id, keep: false }),
    ]);
    expect(await list()).toHaveLength(2);
    const { body: done } = await app.request().post(`${BACKUPS}/prune`).send({}).expect(200);
    expect(done).toEqual({ dryRun: false, deleted: [first.id], removed: [], bytes: 0 });
    expect((await list()).map(({ id }) => id)).toEqual([second.id]);
  });

  it('are counted where this server took and pruned them, also what failed', async () => {
    const keyFile = join(scratch, 'key');
    writeFileSync(keyFile, 'k'.repeat(64), { mode: 0o600 });
    await start({ BACKUP_KEY_FILE: keyFile });
    await app.serve('double', linear([[2]]));
    const all = async (): Promise<ReadonlyMap<string, number>> => {
      const { text } = await app.request().get('/metrics').expect(200);
      const found = text.matchAll(/^(backup_(?:runs|failures|prunes)_total|backup_last_status)(\{.*\})? (\d+)$/gm);
      return new Map([...found].map(([, name, labels = '', value]) => [`${name}${labels}`, Number(value)]));
    };
    const before = await all(); // counters are the process's: other tests of this file have counted too
    const figures = async () => {
      const since = [...(await all())].map(
        ([name, value]) => [name, value - (name.endsWith('_status') ? 0 : (before.get(name) ?? 0))] as const,
      );
      return Object.fromEntries(since.filter(([name, value]) => name.endsWith('_status') || value > 0));
    };
    const lastRun = async () => (await app.request().get('/health')).body.details.backup.lastRun;
    await rm(keyFile);
    const { body } = await app.request().post(BACKUPS).expect(500);
    expect(body).toMatchObject({ code: 'SNAPSHOT_FAILED' });
    const failed = {
      'backup_runs_total{outcome="failed"}': 1,
      'backup_failures_total{phase="taking",reason="key"}': 1,
    };
    expect(await figures()).toEqual({ ...failed, backup_last_status: 0 });
    expect(await lastRun()).toMatchObject({ outcome: 'failed', phase: 'taking', reason: 'key' });
    writeFileSync(keyFile, 'k'.repeat(64), { mode: 0o600 });
    const { id } = await run();
    await app.request().post(`${BACKUPS}/prune`).send({ dryRun: true }).expect(200);
    await app.request().post(`${BACKUPS}/prune`).send({}).expect(200);
    const done = { 'backup_runs_total{outcome="completed"}': 1, 'backup_prunes_total{outcome="ok"}': 1 };
    expect(await figures()).toEqual({ ...failed, ...done, backup_last_status: 1 });
    expect(await lastRun()).toMatchObject({ outcome: 'completed', snapshot: id });
  });

  it('leave as one tar.gz that tar opens and sha256sum bears out', async () => {
    await start();
    await app.serve('double', linear([[2]]));
    const { id } = await run();
    const archive = async () =>
      app
        .request()
        .get(`${BACKUPS}/latest/archive`)
        .buffer(true)
        .parse((response, done) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => done(null, Buffer.concat(chunks)));
        });
    const { body, headers, status } = await archive();
    expect(status).toBe(200);
    expect(headers).toMatchObject({ 'content-type': 'application/gzip', 'content-disposition': `attachment; filename="${id}.tar.gz"` });
    expect((await archive()).body.equals(body)).toBe(true);
    writeFileSync(join(scratch, 'archive.tar.gz'), body);
    execFileSync('tar', ['-xzf', 'archive.tar.gz'], { cwd: scratch });
    execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: scratch });
    expect((await readFile(join(scratch, 'models/double/1/model.onnx'))).equals(linear([[2]]))).toBe(true);
  });

  it('let go of everything when a client goes away while it downloads one', async () => {
    await start();
    await app.serve('large', LARGE).timeout(15_000);
    await run();
    for (let again = 0; again < 5; again++) {
      const call = get(`${app.origin}${BACKUPS}/latest/archive`);
      const [answer] = await once(call, 'response');
      await once(answer, 'data');
      call.destroy();
    }
    for (let wait = 0; wait < 200 && openFiles(backups()) > 0; wait++) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(openFiles(backups())).toBe(0);
    await app.request().get(`${BACKUPS}/latest`).expect(200);
  });

  it('say what is wrong with one that cannot be given away', async () => {
    await start();
    await app.serve('double', linear([[2]]));
    const { id } = await run();
    const refused = async (): Promise<object> => (await app.request().get(`${BACKUPS}/${id}/archive`).expect(500)).body;
    await rm(objectOf(id, 'blob')); // found out when the archive has begun, and nothing of it has left
    expect(await refused()).toMatchObject({ code: 'SNAPSHOT_DAMAGED', correlationId: expect.any(String) });
    await rm(objectOf(id, 'events'));
    expect(await refused()).toMatchObject({ code: 'SNAPSHOT_DAMAGED' });
  });

  it('break off an archive that turns out to be damaged after it has begun to leave', async () => {
    await start();
    await app.serve('large', LARGE).timeout(15_000);
    const { id } = await run();
    const blob = objectOf(id, 'blob');
    const bytes = await readFile(blob);
    bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
    await chmod(blob, 0o644);
    await writeFile(blob, bytes);
    const answer = await fetch(`${app.origin}${BACKUPS}/${id}/archive`);
    expect(answer.status).toBe(200);
    await expect(answer.arrayBuffer()).rejects.toThrow('terminated');
  });

  it('have ids, and `latest`: all else is 400', async () => {
    await start();
    const long = `20261123T030000Z-${'9'.repeat(99)}-0f3a`;
    for (const id of ['yesterday', '20261123T030000Z', '20261123T030000Z-42-0f3a.json', '..%2f..%2fetc', 'Latest', '%00', long]) {
      for (const [method, path] of ROUTES) {
        const { status, body } = await ask(method, `${id}${path}`);
        expect({ id, path, status, code: body.code }).toEqual({ id, path, status: 400, code: expect.any(String) });
      }
    }
  });

  it('that are not there are 404, also where none was ever taken', async () => {
    await start();
    for (const id of ['latest', '20261123T030000Z-42-0f3a']) {
      for (const [method, path] of ROUTES) {
        const { status, body } = await ask(method, `${id}${path}`);
        expect({ id, path, status, code: body.code }).toEqual({ id, path, status: 404, code: 'SNAPSHOT_NOT_FOUND' });
      }
    }
  });

  it('refuse a verification that makes no sense', async () => {
    await start();
    for (const [body, field] of [
      [{ level: 'all' }, 'body.level'],
      [{ subset: '8/7' }, 'body.subset'],
      [{ subset: '0/7' }, 'body.subset'],
      [{ subset: '1/7', level: 'structure' }, 'body.subset'],
      [{ allowUnsigned: 'yes' }, 'body.allowUnsigned'],
      [{ nonsense: 1 }, 'body.nonsense'],
    ] as const) {
      expect((await verify('latest', body).expect(400)).body).toMatchObject({ code: 'MALFORMED_BODY', field });
    }
  });

  it('where a key is set are signed; an unsigned one is refused unless it is allowed, a forged one is none', async () => {
    await start();
    await app.serve('double', linear([[2]]));
    const { id } = await run();
    await app.close();
    const keyFile = join(scratch, 'key');
    writeFileSync(keyFile, 'k'.repeat(64), { mode: 0o600 });
    await start({ BACKUP_KEY_FILE: keyFile });
    expect((await verify(id).expect(409)).body).toMatchObject({ code: 'SNAPSHOT_UNSIGNED' });
    expect((await verify(id, { allowUnsigned: true }).expect(200)).body).toMatchObject({ ok: true, signature: 'unsigned' });
    await app.request().get(`${BACKUPS}/${id}/archive`).expect(200);
    await app.serve('triple', linear([[3]]));
    const signed = await run();
    expect(signed).toMatchObject({ signed: true });
    expect((await verify(signed.id).expect(200)).body).toMatchObject({ ok: true, signature: 'valid' });
    writeFileSync(keyFile, 'x'.repeat(64));
    expect((await app.request().get(`${BACKUPS}/${signed.id}/archive`).expect(409)).body).toMatchObject({ code: 'BACKUP_KEY_WRONG' });
  });

  it('show a key of some models those alone, and are given away whole to a key of all', async () => {
    const office = new KeyOffice(join(scratch, 'keys.json'), scratch, 'cli:test');
    const keyOf = async (models: readonly string[]): Promise<string> =>
      (await office.create({ name: 'of-the-test', scopes: ['backup:run', 'models:write', 'promote'], models })).text;
    const [some, all] = [await keyOf(['dou*']), await keyOf([])];
    await start({ API_KEYS_FILE: join(scratch, 'keys.json') });
    for (const name of ['double', 'triple']) await app.serve(name, linear([[2]])).set('X-API-Key', all);
    await app.request().post(BACKUPS).set('X-API-Key', all).expect(201);
    const names = async (key: string): Promise<readonly string[]> =>
      (await app.request().get(`${BACKUPS}/latest`).set('X-API-Key', key).expect(200)).body.models.map(
        ({ name }: { name: string }) => name,
      );
    expect(await names(some)).toEqual(['double']);
    expect(await names(all)).toEqual(['double', 'triple']);
    await app.request().get(`${BACKUPS}/latest/archive`).set('X-API-Key', some).expect(403);
    await app.request().get(`${BACKUPS}/latest/archive`).set('X-API-Key', all).expect(200);
  });

  it('carry no secret: not a key, not its hash, not a setting', async () => {
    const office = new KeyOffice(join(scratch, 'models', 'auth', 'keys.json'), join(scratch, 'models'), 'cli:test');
    const { text: key, record } = await office.create({ name: 'canary-name', scopes: ['admin'], models: [] });
    const env = { API_KEY: 'aapi_canary-of-the-environment-0123456789', BACKUPS_DIR: backups(), BACKUP_SCHEDULE: 'off' };
    app = await TestApp.start({ env, modelsDir: join(scratch, 'models') });
    await app.serve('double', linear([[2]])).set('X-API-Key', key);
    await app.request().post(BACKUPS).set('X-API-Key', key).expect(201);
    const files = (await readdir(backups(), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    expect(files.length).toBeGreaterThan(3);
    for (const { parentPath, name } of files) {
      const bytes = await readFile(join(parentPath, name), 'latin1');
      for (const secret of [key, record.sha256, env.API_KEY, key.split('_')[3] as string]) expect(bytes).not.toContain(secret);
    }
    expect(JSON.stringify(logLines)).not.toContain(record.sha256);
  });
});
