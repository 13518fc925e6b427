import { setTimeout as sleep } from 'node:timers/promises';
import { OpenInferenceCodec } from '../../src/protocols/open-inference/open-inference-codec';
import { linear } from '../onnx/models';
import { asBinary, HEADER } from '../open-inference/client';
import { Caller, type Reply } from '../scheduling/caller';
import { describeBothWays, describeInProcess, TestApp } from './test-app';

const FLOATS = { datatype: 'FP32', shape: [1, 2], bytes: Buffer.from(Float32Array.of(1, 2).buffer) } as const;
const INPUT = { name: 'x', datatype: 'FP32', shape: [1, 2], data: [1, 2] };
const BINARY = asBinary('x', FLOATS);
const QUESTIONS: readonly (readonly [string, string, Buffer | object, Readonly<Record<string, string>>])[] = [
  ['v2', '/v2/models/line/infer', { id: 'one', inputs: [INPUT] }, {}],
  ['v2 with a version', '/v2/models/line/versions/1/infer', { inputs: [INPUT] }, {}],
  ['v2 in bytes', '/v2/models/line/infer', BINARY.body, BINARY.headers],
  ['v1 by rows', '/v1/models/line:predict', { instances: [[1, 2]] }, {}],
  ['v1 by columns', '/v1/models/line:predict', { inputs: [[1, 2]] }, {}],
  ['native', '/api/v1/predict/line', { instances: [[1, 2]] }, {}],
];

/** What a model's own caller is told, but for times and ids. */
function told({ status, headers, bytes }: Reply): unknown {
  const { date, age, 'server-timing': timing, 'x-correlation-id': id, 'x-cache': cache, ...stable } = headers;
  return { status, stable, body: bytes.toString('latin1').replace(/"timestamp":"[^"]*"/, '') };
}

const cacheOf = ({ headers }: Reply): unknown => headers['x-cache'];

describeBothWays('a body that comes again and again', (way) => {
  let app: TestApp;
  let caller: Caller;
  beforeAll(async () => {
    app = await TestApp.start({ env: way });
    caller = new Caller(app.origin);
    await app.serve('line', linear([[2], [3]], [1]));
  });
  afterAll(async () => {
    caller.hangUp();
    await app.close();
  });

  const clear = () => app.request().delete('/api/v1/cache').expect(200);
  const ask = (path: string, body: object, headers = {}): Promise<Reply> => caller.ask(path, body, headers);
  const timesOf = async (times: number, path: string, body: Buffer | object, headers = {}): Promise<Reply[]> => {
    const replies: Reply[] = [];
    for (let time = 0; time < times; time++) replies.push(await ask(path, body, headers));
    return replies;
  };

  it.each(QUESTIONS)('is answered as before: %s', async (_, path, body, headers) => {
    await clear();
    const replies = await timesOf(5, path, body, headers);
    expect(replies.map(cacheOf)).toEqual(['MISS', 'HIT', 'HIT', 'HIT', 'HIT']);
    await clear();
    replies.push(...(await timesOf(2, path, body, headers)));
    expect(replies.slice(5).map(cacheOf)).toEqual(['MISS', 'HIT']);
    expect(new Set(replies.map((reply) => JSON.stringify(told(reply)))).size).toBe(1);
    expect(replies[0]).toMatchObject({ status: 200 });
  });

  it('is another one with other bytes, another path, or another end of its JSON', async () => {
    const path = '/v2/models/line/infer';
    await timesOf(3, path, { id: 'one', inputs: [INPUT] });
    expect(JSON.parse((await ask(path, { id: 'two', inputs: [INPUT] })).bytes.toString())).toMatchObject({ id: 'two' });
    await app.serve('other', linear([[20], [30]], [10]));
    const other = await ask('/v2/models/other/infer', { id: 'one', inputs: [INPUT] });
    expect(JSON.parse(other.bytes.toString())).toMatchObject({ model_name: 'other', outputs: [{ data: [90] }] });
    const { body, headers } = BINARY;
    await timesOf(3, path, body, headers);
    expect(await ask(path, body, { [HEADER]: String(Number(headers[HEADER]) - 1) })).toMatchObject({ status: 400 });
  });

  it('is told what the version says that is asked now, even where it computes the same', async () => {
    const same = linear([[4], [5]]);
    const [path, body] = ['/v2/models/moving/versions/champion/infer', { inputs: [INPUT] }];
    const pointTo = (version: number) => app.request().put('/api/v1/models/moving/aliases/champion').send({ version }).expect(200);
    await app.upload('moving', same, { metadata: { nonFinite: 'null' } }).expect(201);
    await app.upload('moving', same, { metadata: { nonFinite: 'reject' } }).expect(201);
    await pointTo(1);
    await timesOf(4, path, body);
    await pointTo(2);
    for (const reply of await timesOf(3, path, body)) {
      expect([cacheOf(reply), reply.headers['x-model-version']]).toEqual(['HIT', '2']);
      expect(JSON.parse(reply.bytes.toString())).toMatchObject({ model_version: '2' });
    }
    await pointTo(1);
    expect(JSON.parse((await ask(path, body)).bytes.toString())).toMatchObject({ model_version: '1' });
  });

  it('is heard where it says no-store, or nonsense', async () => {
    const [path, body] = ['/v2/models/line/infer', { id: 'heard', inputs: [INPUT] }];
    await timesOf(3, path, body);
    expect(cacheOf(await ask(path, body, { 'Cache-Control': 'no-store' }))).toBe('BYPASS');
    expect(cacheOf(await ask(path, body, { 'Cache-Control': 'no-cache' }))).toBe('MISS');
    expect(await ask(path, body, { 'X-Request-Deadline-Ms': 'soon' })).toMatchObject({ status: 400 });
    expect(cacheOf(await ask(path, body))).toBe('HIT');
  });

  it('is computed again when the time of its answer is over, and gone with its model', async () => {
    await app.serve('brief', linear([[7], [8]]), { cache: { ttlSeconds: 1 } });
    const [path, body] = ['/v2/models/brief/infer', { inputs: [INPUT] }];
    expect((await timesOf(3, path, body)).map(cacheOf)).toEqual(['MISS', 'HIT', 'HIT']);
    await sleep(1100);
    expect((await timesOf(2, path, body)).map(cacheOf)).toEqual(['MISS', 'HIT']);
    await app.request().post('/api/v1/models/brief/versions/1/promote').send({ stage: 'archived' }).expect(200);
    await app.request().delete('/api/v1/models/brief').expect(204);
    expect(await ask(path, body)).toMatchObject({ status: 404 });
  });
});

describeInProcess('a body that comes again and again, inside', () => {
  it('is read twice and told twice, and from then on neither', async () => {
    const app = await TestApp.start();
    const caller = new Caller(app.origin);
    try {
      await app.serve('line', linear([[2], [3]], [1]));
      const codec = app.app.get(OpenInferenceCodec, { strict: false });
      const [parse, encode] = (['parse', 'encode'] as const).map((step) => jest.spyOn(codec as never, step));
      const body = { inputs: [{ name: 'x', datatype: 'FP32', shape: [500, 2], data: Array.from({ length: 1000 }, (_, at) => at / 7) }] };
      const replies: Reply[] = [];
      for (let time = 0; time < 6; time++) replies.push(await caller.ask('/v2/models/line/infer', body));
      expect(replies.map(cacheOf)).toEqual(['MISS', 'HIT', 'HIT', 'HIT', 'HIT', 'HIT']);
      expect(new Set(replies.map(({ bytes }) => bytes.toString())).size).toBe(1);
      expect(parse).toHaveBeenCalledTimes(2);
      expect(encode).toHaveBeenCalledTimes(2);
    } finally {
      caller.hangUp();
      await app.close();
    }
  });
});
