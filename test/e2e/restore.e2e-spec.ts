import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KeyOffice } from '../../src/auth/key-office';
import { SnapshotSources } from '../../src/backup/restore/restore-source';
import { ModelCatalog } from '../../src/models/serving/model-catalog';
import { FileBlobStore } from '../../src/storage/file-blob.store';
import { flipBit } from '../backup/backup-house';
import { linear } from '../onnx/models';
import { describeInProcess, TestApp } from './test-app';

const BACKUPS = '/api/v1/backups';
const KEY = 'k'.repeat(64);

/** Where the state of a model can be seen. */
interface Seen {
  readonly production: number | null;
  readonly versions: readonly { readonly version: number; readonly stage: string }[];
}

// the folders of the registry and of the snapshots are looked into, and harmed
describeInProcess('a restore over HTTP', () => {
  let app: TestApp;
  let scratch: string;
  const backups = (): string => join(scratch, 'backups');
  const models = (): string => join(scratch, 'models');
  const start = async (env: Readonly<Record<string, string>> = {}): Promise<void> => {
    app = await TestApp.start({ env: { BACKUPS_DIR: backups(), BACKUP_SCHEDULE: 'off', ...env }, modelsDir: models() });
  };
  beforeEach(() => void (scratch = mkdtempSync(join(tmpdir(), 'analytics-api-restore-'))));
  afterEach(async () => {
    await app.close();
    rmSync(scratch, { recursive: true, force: true });
  });

  const take = async (): Promise<string> => (await app.request().post(BACKUPS).expect(201)).body.id;
  const restore = (id: string, body: object = {}, path = id) =>
    app.request().post(`${BACKUPS}/${path}/restore`).set('X-Confirm', id).send(body);
  const plan = (id: string, body: object = {}) =>
    app
      .request()
      .post(`${BACKUPS}/${id}/restore`)
      .send({ dryRun: true, ...body });
  const answer = async (model: string, input = 21): Promise<number> =>
    (await app.predict(model, { instances: [[input]] }).expect(200)).body.predictions[0].prediction;
  const seen = async (model: string): Promise<Seen> => (await app.request().get(`/api/v1/models/${model}`).expect(200)).body;
  const etag = async (model: string): Promise<string> =>
    (await app.request().get(`/api/v1/models/${model}`).expect(200)).headers['etag'] as string;
  const history = async (model: string): Promise<readonly { kind: string; reason?: string; seq: number }[]> =>
    (await app.request().get(`/api/v1/models/${model}/history`).expect(200)).body.events;

  /** double answers twice the input; triple, of the same name, is promoted by mistake after the snapshot. */
  const mistaken = async (): Promise<string> => {
    await start();
    await app.serve('double', linear([[2]]));
    const id = await take();
    await app.serve('double', linear([[3]]));
    return id;
  };

  /** Takes a blob away from the registry, and harms it in the snapshot. */
  const harm = async (id: string): Promise<string> => {
    const { objects } = JSON.parse(readFileSync(join(backups(), 'snapshots', `${id}.json`), 'utf8'));
    const { stored, sha256 } = objects.find((object: { readonly kind: string }) => object.kind === 'blob');
    await new FileBlobStore(models()).remove(sha256);
    const path = join(backups(), 'blobs', 'sha256', stored.slice(0, 2), stored);
    await chmod(path, 0o644);
    await flipBit(path, 100, 3);
    return sha256;
  };

  it('answers at once as it did then: nothing comes from what was kept for the other version, and no old ETag changes anything', async () => {
    const id = await mistaken();
    for (let warm = 0; warm < 3; warm++) expect(await answer('double')).toBe(63);
    const kept = await app.predict('double', { instances: [[21]] }).expect(200);
    expect(kept.headers['x-cache']).toBe('HIT');
    const old = await etag('double');
    const { body } = await restore(id, { reason: 'the wrong one was promoted' }).expect(200);
    expect(body).toMatchObject({ dryRun: false, snapshot: id, signature: 'unsigned', damaged: [], lost: [], conflicts: [] });
    expect(body.event).toBe(body.seq + 1);
    const first = await app.predict('double', { instances: [[21]] }).expect(200);
    expect([first.body.predictions[0].prediction, first.body.model_version, first.headers['x-cache']]).toEqual([42, 1, 'MISS']);
    const promoted = app.request().post('/api/v1/models/double/versions/1/promote').set('If-Match', old).send({ stage: 'archived' });
    expect((await promoted.expect(412)).body).toMatchObject({ code: 'MODEL_CHANGED' });
    expect((await history('double'))[0]).toMatchObject({
      kind: 'registry.restored',
      reason: 'the wrong one was promoted',
      seq: body.event,
    });
    expect((await app.upload('double', linear([[5]])).expect(201)).body.version).toBe(3);
  });

  it('is undone by restoring its safety snapshot', async () => {
    const id = await mistaken();
    const before = await seen('double');
    const { safety } = (await restore(id).expect(200)).body;
    expect(await answer('double')).toBe(42);
    await restore(safety).expect(200);
    expect(await answer('double')).toBe(63);
    expect((await seen('double')).versions).toEqual(before.versions);
    const { body } = await restore(id, { safety: false }).expect(200);
    expect(body).not.toHaveProperty('safety');
  });

  it('of `latest` is of the newest that was not taken for safety: repeated it does the same', async () => {
    const id = await mistaken();
    for (let time = 0; time < 2; time++) {
      expect((await restore(id, {}, 'latest').expect(200)).body.snapshot).toBe(id);
      expect(await answer('double')).toBe(42);
    }
  });

  it('is planned by a dry run, which changes nothing; and is that plan, or is refused', async () => {
    const id = await mistaken();
    await app.serve('other', linear([[7]]));
    const [before, snapshots] = [await etag('double'), (await app.request().get(BACKUPS)).body];
    const { body: planned } = await plan('latest').expect(200);
    expect([await etag('double'), (await app.request().get(BACKUPS)).body]).toEqual([before, snapshots]);
    expect(planned).toMatchObject({
      dryRun: true,
      models: [
        { model: 'double', production: { from: 2, to: 1 } },
        { model: 'other', from: true, to: false },
      ],
    });
    await app.serve('another', linear([[1]]));
    expect((await restore(id, { seq: planned.seq }).expect(409)).body).toMatchObject({ code: 'RESTORE_PLAN_OUTDATED', field: 'seq' });
    expect(await answer('double')).toBe(63);
    const { body: again } = await plan(id).expect(200);
    const { body: done } = await restore(id, { seq: again.seq }).expect(200);
    expect({ ...done, dryRun: true }).toEqual({ ...again, event: again.seq + 1, safety: expect.any(String) });
    await app.predict('another', { instances: [[1]] }).expect(404);
  });

  it('wants to be told which snapshot is meant: its own id, in X-Confirm', async () => {
    const id = await mistaken();
    for (const header of [undefined, 'latest', 'yes', id.toLowerCase(), `${id} `.repeat(2)]) {
      const asked = app.request().post(`${BACKUPS}/latest/restore`).send({});
      const { body } = await (header === undefined ? asked : asked.set('X-Confirm', header)).expect(428);
      expect(body).toMatchObject({ code: 'CONFIRMATION_REQUIRED', field: 'X-Confirm', expected: id });
      expect(body.detail).toContain(`X-Confirm: ${id}`);
    }
    expect(await answer('double')).toBe(63);
    expect((await app.request().get(BACKUPS)).body.snapshots).toHaveLength(1);
    await restore(id, {}, 'latest').expect(200);
    expect(await answer('double')).toBe(42);
  });

  it('brings back one model, or one version of it, and touches no other', async () => {
    await start();
    for (const [name, factor] of [['double', 2], ['triple', 3]] as const) await app.serve(name, linear([[factor]])); // prettier-ignore
    const id = await take();
    await app.serve('double', linear([[20]]));
    await app.serve('triple', linear([[30]]));
    await app.request().post('/api/v1/models/double/versions/2/promote').send({ stage: 'archived' }).expect(200);
    await app.request().delete('/api/v1/models/double').expect(204);
    const other = await etag('triple');
    await restore(id, { model: 'double' }).expect(200);
    expect(await answer('double')).toBe(42);
    expect(await etag('triple')).toBe(other);
    await app.request().delete('/api/v1/models/triple/versions/1').expect(204);
    await restore(id, { model: 'triple', version: 1 }).expect(200);
    expect((await seen('triple')).versions).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ version: 1, stage: 'archived' }),
        expect.objectContaining({ version: 2, stage: 'production' }),
      ]),
    );
    expect(await answer('triple')).toBe(630);
  });

  it('is refused where another one is there, with all that is in the way, unless it is said what to do', async () => {
    const id = await mistaken();
    const { body } = await restore(id, { model: 'double' }).expect(409);
    expect(body).toMatchObject({
      code: 'RESTORE_CONFLICT',
      field: 'conflicts',
      conflicts: [{ model: 'double', what: 'production', here: 'version 2', wanted: 'version 1' }],
    });
    expect(await answer('double')).toBe(63);
    expect((await app.request().get(BACKUPS)).body.snapshots).toHaveLength(1);
    const { body: skipped } = await restore(id, { model: 'double', conflicts: 'skip' }).expect(200);
    expect(skipped.conflicts).toEqual(body.conflicts);
    expect(await answer('double')).toBe(63);
  });

  it('of a damaged snapshot is refused with the list of what is damaged; partial brings back what is whole', async () => {
    await start();
    await app.serve('double', linear([[2]]));
    await app.serve('triple', linear([[3]]));
    const id = await take();
    const sha256 = await harm(id);
    const { body } = await restore(id).expect(409);
    const damaged = [{ path: `blobs/sha256/${sha256.slice(0, 2)}/${sha256}`, detail: expect.stringMatching(/./) }];
    const [lost] = body.lost;
    expect(body).toMatchObject({ code: 'RESTORE_DAMAGED', damaged, lost: [{ model: expect.stringMatching(/double|triple/), version: 1 }] });
    expect((await plan(id).expect(200)).body).toMatchObject({ damaged, lost: [lost] });
    const { body: done } = await restore(id, { partial: true }).expect(200);
    expect(done).toMatchObject({ damaged, lost: [lost] });
    await app.predict(lost.model, { instances: [[1]] }).expect(404);
    expect(await answer(lost.model === 'double' ? 'triple' : 'double')).toBe(lost.model === 'double' ? 63 : 42);
  });

  it('of a snapshot whose manifest or log is lost is refused as one that cannot be trusted', async () => {
    const id = await mistaken();
    const { objects } = JSON.parse(readFileSync(join(backups(), 'snapshots', `${id}.json`), 'utf8'));
    const { stored } = objects.find((object: { readonly kind: string }) => object.kind === 'events');
    await rm(join(backups(), 'blobs', 'sha256', stored.slice(0, 2), stored));
    expect((await restore(id).expect(500)).body).toMatchObject({ code: 'SNAPSHOT_DAMAGED' });
    expect(await answer('double')).toBe(63);
    await app.request().delete(`${BACKUPS}/${id}`).expect(204); // what a refusal pinned it lets go of
  });

  it('brings back what was collected, from the snapshot', async () => {
    await start();
    await app.serve('double', linear([[2]]));
    const id = await take();
    await app.serve('double', linear([[3]]));
    const { objects } = JSON.parse(readFileSync(join(backups(), 'snapshots', `${id}.json`), 'utf8'));
    await new FileBlobStore(models()).remove(objects.find((object: { readonly kind: string }) => object.kind === 'blob').sha256);
    const { body } = await restore(id).expect(200);
    expect(body.copy).toMatchObject({ blobs: 1 });
    expect(await answer('double')).toBe(42);
  });

  it('happens between two predictions: none fails, and each is answered by what was in production before or after', async () => {
    const id = await mistaken();
    const told: [number, number][] = [];
    let asking = true;
    const callers = Array.from({ length: 4 }, async (_, caller) => {
      for (let input = caller + 1; asking; input += 4) {
        const { status, body } = await app.predict('double', { instances: [[input]] });
        expect(status).toBe(200);
        told.push([body.model_version, body.predictions[0].prediction / input]);
      }
    });
    let wanted = 1;
    for (let next = id; wanted < 6; wanted++) next = (await restore(next).expect(200)).body.safety as string;
    asking = false;
    await Promise.all(callers);
    expect(new Set(told.map(String))).toEqual(new Set(['1,2', '2,3']));
  });

  it('asks for a signature where there is a key, and takes an older snapshot where that is said', async () => {
    const id = await mistaken();
    await app.close();
    writeFileSync(join(scratch, 'key'), KEY, { mode: 0o600 });
    await start({ BACKUP_KEY_FILE: join(scratch, 'key') });
    expect((await restore(id).expect(409)).body).toMatchObject({ code: 'SNAPSHOT_UNSIGNED' });
    expect((await plan(id).expect(409)).body).toMatchObject({ code: 'SNAPSHOT_UNSIGNED' });
    const { body } = await restore(id, { allowUnsigned: true }).expect(200);
    expect(body).toMatchObject({ signature: 'unsigned' });
    expect(await answer('double')).toBe(42);
  });

  it('of an encrypted snapshot needs its very key', async () => {
    const file = join(scratch, 'key');
    writeFileSync(file, KEY, { mode: 0o600 });
    await start({ BACKUP_KEY_FILE: file, BACKUP_ENCRYPT: 'on' });
    await app.serve('double', linear([[2]]));
    const id = await take();
    await app.serve('double', linear([[3]]));
    writeFileSync(file, 'x'.repeat(64));
    expect((await restore(id).expect(409)).body).toMatchObject({ code: 'BACKUP_KEY_WRONG' });
    await rm(file);
    expect((await restore(id).expect(503)).body).toMatchObject({ code: 'BACKUP_KEY_REFUSED' });
    expect(await answer('double')).toBe(63);
    writeFileSync(file, KEY, { mode: 0o600 });
    expect((await restore(id).expect(200)).body).toMatchObject({ signature: 'valid' });
    expect(await answer('double')).toBe(42);
  });

  it('of some models is for a key of those; of everything for a key of all', async () => {
    const office = new KeyOffice(join(scratch, 'keys.json'), scratch, 'cli:test');
    const keyOf = async (of: readonly string[]): Promise<string> =>
      (await office.create({ name: 'of-the-test', scopes: ['backup:run', 'backup:restore', 'models:write', 'promote'], models: of })).text;
    const [some, all] = [await keyOf(['dou*']), await keyOf([])];
    await start({ API_KEYS_FILE: join(scratch, 'keys.json') });
    for (const name of ['double', 'triple']) await app.serve(name, linear([[2]])).set('X-API-Key', all);
    const { id } = (await app.request().post(BACKUPS).set('X-API-Key', all).expect(201)).body;
    for (const body of [{}, { dryRun: true }, { model: 'triple' }, { model: 'triple', dryRun: true }, { model: 'nothing' }])
      expect((await restore(id, body).set('X-API-Key', some).expect(403)).body).toMatchObject({ code: 'FORBIDDEN' });
    await restore(id, { model: 'double' }).set('X-API-Key', some).expect(200);
    expect((await restore(id, { model: 'nothing' }).set('X-API-Key', all).expect(404)).body).toMatchObject({ code: 'NOT_IN_SNAPSHOT' });
    await restore(id).set('X-API-Key', all).expect(200);
  });

  it('is refused where what would be in production cannot be loaded, unless it is forced', async () => {
    const id = await mistaken();
    const before = await etag('double');
    const load = jest.spyOn(app.app.get(ModelCatalog), 'load').mockRejectedValue(new Error('the engine does not take it'));
    expect((await restore(id).expect(409)).body).toMatchObject({
      code: 'RESTORE_NOT_SERVABLE',
      failures: [{ model: 'double', version: 1, reason: 'the engine does not take it' }],
    });
    expect([await etag('double'), await answer('double')]).toEqual([before, 63]);
    await restore(id, { force: true }).expect(200);
    load.mockRestore();
    expect((await seen('double')).production).toBe(1);
  });

  it('keeps others from deleting what it reads, until it has ended', async () => {
    const id = await mistaken();
    const source = await app.app.get(SnapshotSources).open(id, 'ada');
    expect((await app.request().delete(`${BACKUPS}/${id}`).expect(409)).body).toMatchObject({ code: 'SNAPSHOT_PINNED' });
    await source.close();
    await app.request().delete(`${BACKUPS}/${id}`).expect(204);
  });

  it('refuses what makes no sense', async () => {
    const id = await mistaken();
    for (const [body, code, field] of [
      [{ version: 1 }, 'MALFORMED_BODY', 'body.model'],
      [{ conflicts: 'skip' }, 'MALFORMED_BODY', 'body.model'],
      [{ model: 'double', conflicts: 'overwrite' }, 'MALFORMED_BODY', 'body.conflicts'],
      [{ model: 'double', version: 0 }, 'MALFORMED_BODY', 'body.version'],
      [{ model: '../double' }, 'INVALID_NAME', 'body.model'],
      [{ seq: -1 }, 'MALFORMED_BODY', 'body.seq'],
      [{ safety: 'no' }, 'MALFORMED_BODY', 'body.safety'],
      [{ reason: 'x'.repeat(1025) }, 'MALFORMED_BODY', 'body.reason'],
      [{ nonsense: 1 }, 'MALFORMED_BODY', 'body.nonsense'],
    ] as const)
      expect((await restore(id, body).expect(400)).body).toMatchObject({ code, field });
    for (const missing of ['20261123T030000Z-42-0f3a', 'latest'])
      await restore('20261123T030000Z-42-0f3a', {}, missing).expect(missing === 'latest' ? 428 : 404);
    await restore(id, {}, 'yesterday').expect(400);
    expect((await restore(id, { model: 'double', version: 2 }).expect(404)).body).toMatchObject({ code: 'NOT_IN_SNAPSHOT' });
    expect(await answer('double')).toBe(63);
  });
});
