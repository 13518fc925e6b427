import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type request from 'supertest';
import { packTarGz } from '../../src/wire/archive/pack-archive';
import { linear } from '../onnx/models';
import { zipOf } from '../archives/zip-bytes';
import { TestApp } from './test-app';

const MODEL = linear([[2]]);
const CARD = Buffer.from('# a card of the model');

const tarGz = (files: Readonly<Record<string, Buffer>>): Promise<Buffer> =>
  buffer(
    packTarGz(Object.entries(files).map(([path, bytes]) => ({ path, bytes: bytes.length, open: async () => Readable.from([bytes]) }))),
  );

const zip = (files: Readonly<Record<string, Buffer>>): Buffer => zipOf(Object.entries(files).map(([name, content]) => ({ name, content })));

describe('artifacts', () => {
  let folder: string;
  let app: TestApp;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'analytics-api-artifacts-'));
    app = await TestApp.start({ modelsDir: folder });
  });
  afterEach(async () => {
    await app.close();
    expect(readdirSync(join(folder, '.staging'))).toEqual([]); // nothing of an upload lies about, published or not
    rmSync(folder, { recursive: true, force: true });
  });

  const send = (files: Readonly<Record<string, Buffer>>): request.Test => {
    const form = app.request().post('/api/v1/models').field('name', 'line').field('stage', 'production');
    for (const [name, bytes] of Object.entries(files)) void form.attach('file', bytes, name);
    return form;
  };
  const download = (version = 1): request.Test =>
    app
      .request()
      .get(`/api/v1/models/line/versions/${version}/artifact`)
      .buffer(true)
      .parse((response, done) => {
        buffer(response as unknown as Readable).then(
          (bytes) => done(null, bytes),
          (error: Error) => done(error, null),
        );
      });
  const prediction = async (): Promise<unknown> =>
    (await app.predict('line', { instances: [[21]] }).expect(200)).body.predictions[0].prediction;

  it('of one file come back as that file', async () => {
    const { body } = await send({ 'model.onnx': MODEL }).expect(201);
    const { body: bytes, headers } = await download().expect(200);
    expect(bytes).toEqual(MODEL);
    expect(headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': String(MODEL.length),
      'content-disposition': 'attachment; filename="model.onnx"',
      etag: `"${body.digest}"`,
    });
  });

  it.each([
    ['a tar.gz', () => tarGz({ 'line/model.onnx': MODEL, 'line/CARD.md': CARD })],
    ['a zip', async () => zip({ 'line/model.onnx': MODEL, 'line/CARD.md': CARD })],
  ])('come in %s, are served, and come back as a tar.gz that is the same version again', async (_what, pack) => {
    const { body } = await send({ 'artifact.bin': await pack() }).expect(201);
    expect(body.files.map(({ path }: { path: string }) => path)).toEqual(['line/model.onnx', 'line/CARD.md']);
    expect(await prediction()).toBe(42);
    const { body: bytes, headers } = await download().expect(200);
    expect(headers).toMatchObject({ 'content-type': 'application/gzip', 'content-disposition': 'attachment; filename="line-1.tar.gz"' });
    const { body: again } = await send({ 'line-1.tar.gz': bytes as Buffer }).expect(200);
    expect(again).toMatchObject({ version: 1, digest: body.digest });
  });

  it('come as several files of a form', async () => {
    const { body } = await send({ 'CARD.md': CARD, 'model.onnx': MODEL }).expect(201);
    expect(body.files.map(({ path }: { path: string }) => path)).toEqual(['model.onnx', 'CARD.md']);
    expect(await prediction()).toBe(42);
  });

  it('with another file beside the same model are another version of the same executable', async () => {
    const { body: first } = await send({ 'model.onnx': MODEL }).expect(201);
    const { body: second } = await send({ 'model.onnx': MODEL, 'CARD.md': CARD }).expect(201);
    expect(second).toMatchObject({ version: 2, executable: first.executable });
    expect(second.digest).not.toBe(first.digest);
  });

  it.each([
    ['two models', { 'a.onnx': MODEL, 'b.onnx': linear([[3]]) }, { code: 'UPLOAD_INCOMPLETE', actual: 'a.onnx, b.onnx' }],
    [
      'no model',
      { 'a.txt': CARD, 'b.txt': MODEL },
      { code: 'UPLOAD_INCOMPLETE', expected: 'exactly one file that ends in .onnx, or else one model.json' },
    ],
    ['an empty model', { 'a.txt': CARD, 'model.onnx': Buffer.alloc(0) }, { code: 'UPLOAD_INCOMPLETE', actual: 'an empty file' }],
  ])('with %s are refused', async (_what, files, problem) => {
    expect((await send(files).expect(400)).body).toMatchObject({ field: 'file', ...problem });
  });

  it.each([
    ['a path that leads out', async () => zip({ '../model.onnx': MODEL }), 422, 'ARCHIVE_REFUSED'],
    ['nothing in it', async () => tarGz({}), 422, 'ARCHIVE_REFUSED'],
    ['a bomb in it', async () => tarGz({ 'model.onnx': Buffer.alloc(40 * 2 ** 20) }), 413, 'ARCHIVE_TOO_LARGE'],
    ['two models in it', async () => zip({ 'a.onnx': MODEL, 'b.onnx': MODEL }), 400, 'UPLOAD_INCOMPLETE'],
    ['a file that is no model', async () => zip({ 'model.onnx': CARD }), 422, 'MODEL_REFUSED'],
  ])('are refused as an archive with %s', async (_what, pack, status, code) => {
    expect((await send({ 'artifact.zip': await pack() }).expect(status)).body).toMatchObject({ code });
    await app.request().get('/api/v1/models/line').expect(404);
  });

  it('are not there for a version that is not', async () => {
    await send({ 'model.onnx': MODEL }).expect(201);
    expect((await app.request().get('/api/v1/models/line/versions/7/artifact').expect(404)).body).toMatchObject({
      code: 'VERSION_NOT_FOUND',
    });
  });
});
