import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import fs, { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { BlobScrub } from '../../src/models/upkeep/blob-scrub';
import { UpkeepJob } from '../../src/models/upkeep/upkeep.job';
import { LOG_START, type LogEntry } from '../../src/storage/event-log.port';
import { FileEventLog } from '../../src/storage/file-event.log';
import { SELF } from '../../src/storage/staging-owner';
import { describeOn, Volumes } from '../crash/power-cut-volumes';
import { linear } from '../onnx/models';
import { describeInProcess, freshFolder, itInProcess, TestApp } from './test-app';

const LINE = linear([[2]]);
const MIB = 2 ** 20;

let app: TestApp;
let modelsDir: string;
beforeEach(() => {
  modelsDir = freshFolder();
});
afterEach(async () => {
  jest.restoreAllMocks();
  await app.close();
  rmSync(modelsDir, { recursive: true, force: true });
});

const start = async (env: Readonly<Record<string, string>> = {}, folder = modelsDir) =>
  void (app = await TestApp.start({ modelsDir: folder, env }));
const restart = async (env: Readonly<Record<string, string>> = {}): Promise<void> => {
  await app.close();
  await start(env);
};
const version = async (model: string) => (await app.request().get(`/api/v1/models/${model}/versions/1`).expect(200)).body;
const answerOf = async (model: string): Promise<unknown> =>
  (await app.predict(model, { instances: [[21]] }).expect(200)).body.predictions[0].prediction;
const figure = async (name: string): Promise<number> =>
  Number(new RegExp(`^${name} (\\S+)$`, 'm').exec((await app.request().get('/metrics').expect(200)).text)?.[1]);
const staged = () => readdir(join(modelsDir, '.staging'));
const ready = async (): Promise<unknown> => (await app.request().get('/health/ready').expect(200)).body;

/** Flips a bit of a version's file, behind everybody's back. */
async function rot(model: string): Promise<void> {
  const { files } = await version(model);
  const path = join(modelsDir, 'blobs', 'sha256', files[0].sha256.slice(0, 2), files[0].sha256);
  const bytes = await readFile(path);
  bytes[bytes.length >> 1]! ^= 1;
  await chmod(path, 0o644);
  await writeFile(path, bytes);
}

describe('a stored file that rots', () => {
  beforeEach(async () => {
    await start();
    await app.serve('line', LINE);
    await app.serve('sound', linear([[3]]));
  });

  it('is found at the next load: its version is corrupt and not served, and the others are', async () => {
    await rot('line');
    await restart();
    expect((await app.predict('line', { instances: [[1]] }).expect(503)).body).toMatchObject({ code: 'MODEL_UNAVAILABLE' });
    expect((await app.predict('line', { instances: [[1]] }, '?version=1').expect(503)).body.actual).toContain('not what was uploaded');
    expect(await version('line')).toMatchObject({ stage: 'production', corrupt: true });
    expect(await answerOf('sound')).toBe(63);
    expect(await version('sound')).toMatchObject({ corrupt: false });
    expect(await ready()).toEqual({ status: 'degraded', degraded: ['models'] });
    expect(await figure('storage_damaged_blobs')).toBe(1);
  });

  it('is healed by the same upload again: served at once, without a restart', async () => {
    await rot('line');
    await restart();
    await app.predict('line', { instances: [[1]] }).expect(503);
    const { body } = await app.upload('line', LINE).expect(200);
    expect(body).toMatchObject({ version: 1, stage: 'production', corrupt: false });
    expect(await answerOf('line')).toBe(42);
    expect(await version('line')).toMatchObject({ corrupt: false });
    expect(await ready()).toEqual({ status: 'ok', degraded: [] });
    expect(await readdir(join(modelsDir, '.quarantine'))).toHaveLength(1);
    expect(await staged()).toEqual([]);
    await restart();
    expect(await answerOf('line')).toBe(42);
  });

  itInProcess('is flagged by the scrub while it is served from memory, and that is over when it is healed', async () => {
    await rot('line');
    expect(await version('line')).toMatchObject({ corrupt: false }); // nobody has looked
    for (let slice = 0; slice < 3; slice++) await app.app.get(BlobScrub).slice(1);
    expect(await version('line')).toMatchObject({ corrupt: true });
    expect((await app.request().get('/api/v1/models/line').expect(200)).body.versions[0].corrupt).toBe(true);
    expect(await figure('storage_damaged_blobs')).toBe(1);
    expect(await answerOf('line')).toBe(42); // what is in memory was good when it was loaded
    expect(await version('sound')).toMatchObject({ corrupt: false });
    await app.upload('line', LINE).expect(200);
    expect(await version('line')).toMatchObject({ corrupt: false });
    expect(await figure('storage_damaged_blobs')).toBe(0);
  });

  it('heals every model that has the same file', async () => {
    await app.serve('twin', LINE);
    await rot('line');
    await restart();
    await app.predict('twin', { instances: [[1]] }).expect(503);
    await app.upload('line', LINE).expect(200);
    expect(await answerOf('twin')).toBe(42);
  });
});

describeInProcess('a registry that takes no changes', () => {
  /** What makes it so from the next start on, and what `/health` then says. */
  const CAUSES: readonly (readonly [string, () => unknown, object])[] = [
    [
      'a file system without hard links',
      () => jest.spyOn(fs, 'link').mockRejectedValue(Object.assign(new Error('EPERM: no links here'), { code: 'EPERM' })),
      {
        reason: 'the file system lacks what the registry needs',
        fileSystem: { hardLinks: 'EPERM: no links here', folderFlush: 'ok', safe: false },
      },
    ],
    [
      'a newer version of the service',
      async () => {
        const log = new FileEventLog(modelsDir);
        const entries: LogEntry[] = await Readable.from(log.read(LOG_START)).toArray();
        await log.append(entries.at(-1)!.position, { kind: 'model.pinned', actor: 'new', correlationId: 'c' });
      },
      { reason: expect.stringContaining('"model.pinned"'), fileSystem: { hardLinks: 'ok', safe: true } },
    ],
  ];

  it.each(CAUSES)(
    'because of %s says why, serves what it has, and refuses changes before anything is done',
    async (_cause, take, storage) => {
      await start();
      await app.serve('line', LINE);
      await app.upload('line', linear([[5]])).expect(201);
      await app.close();
      await take();
      await start();
      const { body } = await app.request().get('/health').expect(200);
      expect(body).toMatchObject({ status: 'degraded', details: { storage: { status: 'degraded', writable: false, ...storage } } });
      expect(await ready()).toEqual({ status: 'degraded', degraded: ['storage'] });
      const refused = await app.request().get('/health/ready?check=write').expect(503);
      expect(refused.body).toMatchObject({ code: 'NOT_READY', checks: { storage: { writable: false, ...storage } } });
      for (const probe of ['startup', 'live']) await app.request().get(`/health/${probe}`).expect(200);
      expect(await figure('storage_read_only')).toBe(1);

      expect(await answerOf('line')).toBe(42);
      const before = (await readdir(modelsDir, { recursive: true })).sort();
      expect(
        (
          await app
            .upload('line', linear([[4]]))
            .expect(503)
            .expect('Retry-After', '1')
        ).body.code,
      ).toBe('READ_ONLY');
      const promote = app.request().post('/api/v1/models/line/versions/2/promote').send({ stage: 'production' });
      expect((await promote.expect(503)).body.code).toBe('READ_ONLY');
      await app.app.get(UpkeepJob).tick();
      expect((await readdir(modelsDir, { recursive: true })).sort()).toEqual(before);
      expect(await answerOf('line')).toBe(42);
    },
  );

  it('takes them again when the file system can be trusted, without a restart', async () => {
    const spy = jest.spyOn(fs, 'link').mockRejectedValue(Object.assign(new Error('ENOSPC: full'), { code: 'ENOSPC' }));
    await start();
    await app.upload('line', LINE).expect(503);
    spy.mockRestore();
    await app.app.get(UpkeepJob).tick();
    await app.request().get('/health/ready?check=write').expect(200);
    expect(await figure('storage_read_only')).toBe(0);
    await app.serve('line', LINE);
    await restart();
    expect(await answerOf('line')).toBe(42);
  });

  it('is no registry that takes them: that one shows its file system, and is ready to be written', async () => {
    await start();
    const { body } = await app.request().get('/health').expect(200);
    const fileSystem = {
      hardLinks: 'ok',
      exclusiveCreation: 'ok',
      folderFlush: 'ok',
      readAfterWrite: 'ok',
      atomicReplace: 'ok',
      safe: true,
    };
    expect(body).toMatchObject({ status: 'ok', details: { storage: { status: 'up', writable: true, fileSystem } } });
    expect((await app.request().get('/health/ready?check=write').expect(200)).body).toEqual({ status: 'ok', degraded: [] });
    expect(await figure('storage_read_only')).toBe(0);
  });
});

describeInProcess('a start', () => {
  it('takes away what lost uploads left, and counts it', async () => {
    await mkdir(join(modelsDir, '.staging'));
    await writeFile(join(modelsDir, '.staging', `${SELF.machine}-${SELF.pid}-1-upload`), Buffer.alloc(1000));
    await writeFile(join(modelsDir, '.staging', 'notes.txt'), 'of somebody');
    await start();
    expect(await staged()).toEqual(['notes.txt']);
    expect(await figure('storage_staging_swept_bytes_total')).toBeGreaterThanOrEqual(1000);
    expect(await figure('storage_free_bytes')).toBeGreaterThan(MIB);
    expect(await figure('storage_fsync_duration_seconds_count')).toBeGreaterThan(0);
  });
});

describe('an upload where too little is free', () => {
  it('is refused before anything of it is stored, and predictions and promotions go on', async () => {
    await start();
    await app.serve('line', LINE);
    await app.upload('line', linear([[4]])).expect(201);
    await restart({ MIN_FREE_BYTES: '999999999999999' });
    const { body } = await app.upload('line', linear([[5]])).expect(507);
    expect(body).toMatchObject({ status: 507, code: 'NO_SPACE' });
    expect(await staged()).toEqual([]);
    expect(await answerOf('line')).toBe(42);
    await app.request().post('/api/v1/models/line/versions/2/promote').send({ stage: 'production' }).expect(200);
    expect(await answerOf('line')).toBe(84);
  });
});

const [describeHere, note] = describeOn('tmpfs');

(describeInProcess === describe ? describeHere : describeInProcess)(`on a small volume${note}`, () => {
  const volumes = new Volumes();
  afterAll(() => volumes.remove());
  beforeEach(async () => {
    const unused = modelsDir;
    modelsDir = join(await volumes.tmpfs('size=24m'), 'models');
    await rm(unused, { recursive: true });
  });

  it('an upload is refused on its way, long before the volume is full, and leaves nothing', async () => {
    await start({ MIN_FREE_BYTES: String(12 * MIB) });
    await app.serve('line', LINE);
    const { body } = await app.upload('big', Buffer.alloc(20 * MIB)).expect(507);
    expect(body.code).toBe('NO_SPACE');
    expect(await staged()).toEqual([]);
    await app.app.get(UpkeepJob).tick();
    expect(await figure('storage_free_bytes')).toBeGreaterThan(23 * MIB);
    expect(await answerOf('line')).toBe(42);
    await app.upload('line', linear([[4]])).expect(201);
  });

  it('a registry that has become read-only is served, and changed by nobody', async () => {
    await start();
    await app.serve('line', LINE);
    await app.close();
    const volume = join(modelsDir, '..');
    execFileSync('mount', ['-o', 'remount,ro', volume]);
    await start();
    expect(await answerOf('line')).toBe(42);
    expect((await app.request().get('/health').expect(200)).body.details.storage.fileSystem.hardLinks).toMatch(/^EROFS/);
    expect((await app.upload('line', linear([[4]])).expect(503)).body.code).toBe('READ_ONLY');
    execFileSync('mount', ['-o', 'remount,rw', volume]);
    await app.app.get(UpkeepJob).tick();
    await app.upload('line', linear([[4]])).expect(201);
  });

  it('a start finds a full one, serves what is there, and takes uploads as soon as there is room', async () => {
    await start();
    await app.serve('line', LINE);
    await app.close();
    const others = join(modelsDir, '..', 'others');
    await writeFile(others, Buffer.alloc(25 * MIB)).catch(() => {});
    await start();
    expect(await answerOf('line')).toBe(42);
    expect((await app.upload('line', linear([[4]])).expect(503)).body.code).toBe('READ_ONLY');
    await rm(others);
    await app.app.get(UpkeepJob).tick();
    await app.upload('line', linear([[4]])).expect(201);
  });
});
