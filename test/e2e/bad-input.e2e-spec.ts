import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'supertest';
import { endlessLoop, failing, linear, nanOutput, twoMapOutputs } from '../onnx/models';
import { freshFolder, TestApp } from './test-app';

/** Every file under a folder. */
function filesUnder(folder: string): readonly string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)).sort(); // prettier-ignore
}

describe('bad input', () => {
  const folder = freshFolder();
  let app: TestApp;
  let kept: readonly string[];

  beforeAll(async () => {
    app = await TestApp.start({
      modelsDir: folder,
      env: { MAX_JSON_BYTES: '2048', MAX_UPLOAD_BYTES: '65536', IMPORT_DEADLINE_SECONDS: '5' },
    });
    await app.serve('line', linear([[1], [2]]), { featureNames: ['a', 'b'] });
    await app.serve('unnamed', linear([[1], [2]]));
    await app.serve('picky', nanOutput(), { nonFinite: 'reject' });
    await app.serve('index', failing());
    await app.upload('waiting', linear([[1]])).expect(201);
    kept = filesUnder(folder);
  });
  afterAll(() => app.close());

  /** A problem with code, id and what it takes to mend the request; and the registry as it was. */
  const refused = async (call: Test, status: number, code: string, details: object = {}): Promise<void> => {
    const { body, headers } = await call.expect('Content-Type', 'application/problem+json');
    expect({ status: body.status, code: body.code }).toEqual({ status, code });
    expect(body).toMatchObject({ ...details, correlationId: headers['x-correlation-id'], type: `urn:analytics-api:error:${code}` });
    expect(filesUnder(folder)).toEqual(kept);
  };

  const model = linear([[1], [2]]);
  const metadata = (value: object): Test => app.upload('fresh', model, { metadata: value });

  it.each([
    ['a file that is no model', () => app.upload('fresh', Buffer.from('not a model')), 422, 'MODEL_REFUSED', { field: 'file' }],
    ['a truncated model', () => app.upload('fresh', model.subarray(0, model.length - 20)), 422, 'MODEL_REFUSED', { field: 'file' }],
    [
      'a model that answers with maps',
      () => app.upload('fresh', twoMapOutputs()),
      422,
      'MODEL_REFUSED',
      { actual: expect.stringContaining('zipmap') },
    ],
    ['an empty file', () => app.upload('fresh', Buffer.alloc(0)), 400, 'UPLOAD_INCOMPLETE', { field: 'file', actual: 'an empty file' }],
    [
      'a file that is too large',
      () => app.upload('fresh', Buffer.alloc(70_000)),
      413,
      'UPLOAD_TOO_LARGE',
      { expected: 'at most 65536 bytes' },
    ],
    [
      'a form without a file',
      () => app.request().post('/api/v1/models').field('name', 'fresh'),
      400,
      'UPLOAD_INCOMPLETE',
      { field: 'file' },
    ],
    [
      'a form without a name',
      () => app.request().post('/api/v1/models').attach('file', model, 'm.onnx'),
      400,
      'INVALID_NAME',
      { field: 'name', actual: 'missing' },
    ],
    ['a name outside the grammar', () => app.upload('../up', model), 400, 'INVALID_NAME', { field: 'name', actual: '"../up"' }],
    ['a reserved name', () => app.upload('stats', model), 400, 'INVALID_NAME', { field: 'name' }],
    [
      'a file name with a path in it',
      () =>
        app
          .request()
          .post('/api/v1/models')
          .field('name', 'fresh')
          .attach('file', model, { filepath: '../../m.onnx' } as { filename?: string }),
      400,
      'INVALID_NAME',
      { field: 'file' },
    ],
    ['a part that there is not', () => app.upload('fresh', model, { stagee: 'production' }), 400, 'MALFORMED_BODY', { field: 'stagee' }],
    ['two models', () => app.upload('fresh', model).attach('file', model, 'two.onnx'), 400, 'UPLOAD_INCOMPLETE', { field: 'file' }],
    [
      'a stage that there is not',
      () => app.upload('fresh', model, { stage: 'live' }),
      400,
      'MALFORMED_BODY',
      { field: 'stage', actual: 'live' },
    ],
    ['a version that is no number', () => app.upload('fresh', model, { version: '1.5' }), 400, 'INVALID_NAME', { field: 'version' }],
    ['metadata that is no JSON', () => app.upload('fresh', model, { metadata: '{bad' }), 400, 'MALFORMED_JSON', {}],
    [
      'metadata that says something twice',
      () => app.upload('fresh', model, { metadata: '{"tags":[],"tags":["a"]}' }),
      400,
      'MALFORMED_JSON',
      {},
    ],
    [
      'metadata with as many members as a model may have features, all of them unknown',
      () => metadata(Object.fromEntries(Array.from({ length: 2000 }, (_, at) => [`feature ${at}`, at]))),
      400,
      'MALFORMED_BODY',
      { field: 'metadata.feature 0' },
    ],
    ['metadata with an unknown member', () => metadata({ lables: ['a'] }), 400, 'MALFORMED_BODY', { field: 'metadata.lables' }],
    [
      'metadata of the wrong kind',
      () => metadata({ deadlineMs: 'soon' }),
      400,
      'MALFORMED_BODY',
      { field: 'metadata.deadlineMs', actual: '"soon"' },
    ],
    [
      'too few feature names',
      () => metadata({ featureNames: ['a'] }),
      422,
      'METADATA_MISMATCH',
      { field: 'metadata.featureNames', actual: '1 names' },
    ],
    [
      'a probability output that there is not',
      () => metadata({ probabilityOutput: 'p' }),
      422,
      'METADATA_MISMATCH',
      { expected: 'one of y' },
    ],
    [
      'an upload that is no form',
      () => app.request().post('/api/v1/models').send({ name: 'fresh' }),
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      { actual: 'application/json' },
    ],
    [
      'a form without a boundary',
      () => app.request().post('/api/v1/models').set('Content-Type', 'multipart/form-data;').send('x'),
      400,
      'MALFORMED_MULTIPART',
      {},
    ],
  ] as const)('refuses an upload: %s', (_title, call, status, code, details) => refused(call(), status, code, details));

  it.each([
    ['a missing feature', 'line', { features: { a: 1 } }, 422, 'MISSING_FEATURE', { field: 'features.b', actual: 'missing' }],
    [
      'an extra feature',
      'line',
      { features: { a: 1, b: 2, c: 3 } },
      422,
      'UNKNOWN_FEATURE',
      { field: 'features.c', expected: 'only a, b' },
    ],
    [
      'a row that is too long',
      'line',
      { instances: [[1, 2, 3]] },
      422,
      'SHAPE_MISMATCH',
      { field: 'instances[0]', expected: '2 values', actual: '3 values' },
    ],
    [
      'a text for a number',
      'line',
      { features: [{ a: 1, b: 'x' }] },
      422,
      'INVALID_VALUE',
      { field: 'features[0].b', expected: 'a number', actual: '"x"' },
    ],
    ['null for a number', 'line', { instances: [[1, null]] }, 422, 'INVALID_VALUE', { field: 'instances[0][1]', actual: 'null' }],
    [
      'a number beyond FP32',
      'line',
      { instances: [[1, 1e39]] },
      400,
      'NUMBER_NOT_REPRESENTABLE',
      { field: 'instances[0][1]', actual: '1e+39' },
    ],
    [
      'an object for a model without feature names',
      'unnamed',
      { features: { a: 1, b: 2 } },
      422,
      'FEATURE_NAMES_MISSING',
      { expected: expect.stringContaining('{"featureNames": ["name 1", "name 2"]}') },
    ],
    ['no rows', 'line', { instances: [] }, 400, 'MALFORMED_BODY', { field: 'instances' }],
    ['neither features nor instances', 'line', { rows: [] }, 400, 'MALFORMED_BODY', { field: 'body', actual: 'rows' }],
    ['a body that is an array', 'line', [1], 400, 'MALFORMED_BODY', { field: 'body' }],
    ['an unknown model', 'nobody', { instances: [[1]] }, 404, 'MODEL_NOT_FOUND', { actual: 'nobody' }],
    [
      'a model without a production version',
      'waiting',
      { instances: [[1]] },
      404,
      'NO_PRODUCTION_VERSION',
      { expected: expect.stringContaining('one of 1') },
    ],
    [
      'a version that there is not',
      'line?version=7',
      { instances: [[1, 2]] },
      404,
      'VERSION_NOT_FOUND',
      { expected: 'one of 1', actual: '7' },
    ],
    ['a version that is no number', 'line?version=latest', { instances: [[1, 2]] }, 400, 'INVALID_NAME', { field: 'version' }],
    ['an alias that there is not', 'line?alias=champion', { instances: [[1, 2]] }, 404, 'ALIAS_NOT_FOUND', { actual: 'champion' }],
    ['a query parameter that there is not', 'line?vresion=1', { instances: [[1, 2]] }, 400, 'MALFORMED_BODY', { field: 'vresion' }],
    ['a version and an alias', 'line?version=1&alias=production', { instances: [[1, 2]] }, 400, 'MALFORMED_BODY', { field: 'alias' }],
    ['a version twice', 'line?version=1&version=2', { instances: [[1, 2]] }, 400, 'INVALID_NAME', { field: 'version' }],
    ['a name outside the grammar', 'Line', { instances: [[1]] }, 400, 'INVALID_NAME', { field: 'model', actual: '"Line"' }],
    ['a name that goes up', '..%2fline', { instances: [[1]] }, 400, 'INVALID_NAME', { field: 'model' }],
    [
      'a body that is too large',
      'line',
      { instances: Array.from({ length: 999 }, () => [1, 2]) },
      413,
      'BODY_TOO_LARGE',
      { expected: 'at most 2048 bytes' },
    ],
    ['an output that is NaN where that is refused', 'picky', { instances: [[-1]] }, 422, 'NON_FINITE_OUTPUT', { field: 'y' }],
    [
      'what the model cannot compute',
      'index',
      { instances: [7] },
      422,
      'INFERENCE_FAILED',
      { actual: expect.not.stringContaining('onnxruntime/') },
    ],
  ] as const)('refuses a prediction: %s', (_title, target, body, status, code, details) => {
    return refused(app.request().post(`/api/v1/predict/${target}`).send(body), status, code, details);
  });

  it.each([
    ['broken JSON', '{"features":', 'application/json', 400, 'MALFORMED_JSON'],
    ['NaN', '{"instances":[[NaN,1]]}', 'application/json', 400, 'MALFORMED_JSON'],
    ['1e999', '{"instances":[[1e999,1]]}', 'application/json', 400, 'NUMBER_NOT_REPRESENTABLE'],
    ['a row that says a feature twice', '{"features":{"a":1,"b":2,"a":3}}', 'application/json', 400, 'MALFORMED_JSON'],
    ['a row with "__proto__"', String.raw`{"features":{"a":1,"\u005f_proto__":2}}`, 'application/json', 400, 'MALFORMED_JSON'],
    ['a thousand arrays in one another', '['.repeat(1000) + ']'.repeat(1000), 'application/json', 400, 'MALFORMED_JSON'],
    ['nothing at all', '', 'application/json', 400, 'MALFORMED_JSON'],
    ['bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'application/json', 400, 'MALFORMED_JSON'],
    ['a wrong content type', '{"instances":[[1,1]]}', 'text/plain', 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ['a content type that only looks right', '{"instances":[[1,1]]}', 'application/json\ta', 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ['another charset', '{"instances":[[1,1]]}', 'application/json; charset=utf-7', 415, 'UNSUPPORTED_MEDIA_TYPE'],
  ])('refuses a prediction whose text is %s', async (_title, text, type, status, code) => {
    const response = await fetch(`${app.origin}/api/v1/predict/line`, { method: 'POST', headers: { 'Content-Type': type }, body: text });
    expect({ status: response.status, ...((await response.json()) as object) }).toMatchObject({
      status,
      code,
      correlationId: response.headers.get('x-correlation-id'),
    });
  });

  it('refuses a compressed body', async () => {
    const headers = { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' };
    const response = await fetch(`${app.origin}/api/v1/predict/line`, { method: 'POST', headers, body: '{}' });
    expect(await response.json()).toMatchObject({ status: 415, code: 'UNSUPPORTED_MEDIA_TYPE', field: 'Content-Encoding' });
  });

  it.each([
    [
      'an unknown stage',
      '/api/v1/models/line/versions/1/promote',
      { stage: 'live' },
      400,
      'MALFORMED_BODY',
      { field: 'body.stage', actual: '"live"' },
    ],
    [
      'an unknown member',
      '/api/v1/models/line/versions/1/promote',
      { stage: 'staging', id: 3 },
      400,
      'MALFORMED_BODY',
      { field: 'body.id' },
    ],
    [
      'a body that is no object',
      '/api/v1/models/line/versions/1/promote',
      [],
      400,
      'MALFORMED_BODY',
      { field: 'body', actual: 'an array' },
    ],
    ['an unknown version', '/api/v1/models/line/versions/9/promote', { stage: 'production' }, 404, 'VERSION_NOT_FOUND', {}],
    ['an unknown model', '/api/v1/models/nobody/versions/1/promote', { stage: 'production' }, 404, 'MODEL_NOT_FOUND', {}],
  ])('refuses a promotion: %s', (_title, path, body, status, code, details) =>
    refused(app.request().post(path).send(body), status, code, details),
  );

  it('leaves nothing of an upload that is aborted', async () => {
    const { hostname, port } = new URL(app.origin);
    for (const bytes of [0, 10, 30_000]) {
      const socket = connect(Number(port), hostname);
      socket.write(
        'POST /api/v1/models HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n',
      );
      socket.write('--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nfresh\r\n');
      socket.write('--b\r\nContent-Disposition: form-data; name="file"; filename="m.onnx"\r\n\r\n');
      socket.write(Buffer.alloc(bytes));
      await sleep(20);
      socket.destroy();
      await once(socket, 'close');
    }
    for (let wait = 0; wait < 50 && filesUnder(folder).length > kept.length; wait++) await sleep(20);
    expect(filesUnder(folder)).toEqual(kept);
    await app.request().get('/api/v1/models/fresh').expect(404);
  });

  it('stops a model that never answers, and answers the next one', async () => {
    await app.serve('endless', endlessLoop(), { deadlineMs: 300 });
    const { body } = await app.predict('endless', { instances: [[1]] }).expect(504);
    expect(body).toMatchObject({ code: 'ENGINE_DEADLINE_EXCEEDED', expected: 'at most 300 ms' });
    await app.predict('line', { instances: [[1, 2]] }).expect(200);
  });
});
