import { gunzipSync, inflateSync } from 'node:zlib';
import { classifierWithLabels, failing, identity, mapOutput, nanOutput, twoInputs } from '../onnx/models';
import { DTYPE } from '../onnx/onnx-writer';
import { HEADER } from '../open-inference/client';
import { hangUp, post, type WireAnswer } from '../open-inference/post';
import { ANSWERED, type Case, LIMITS, REFUSED } from './open-inference-cases';
import type { TfjsFiles } from '../tfjs/tfjs-files';
import { identityTwin, nanOutputTwin, twoInputsTwin } from '../tfjs/twins';
import { describeEveryEngine, type Model, TestApp } from './test-app';

describeEveryEngine('inference in the Open Inference Protocol', (way, engine) => {
  const of = (model: Buffer, twin: TfjsFiles): Model => (engine === 'tfjs' ? twin : model);
  let app: TestApp;

  beforeAll(async () => {
    app = await TestApp.start({ env: { ...way, ...LIMITS } });
    await app.serve('pair', of(twoInputs(), twoInputsTwin()));
    await app.request().put('/api/v1/models/pair/aliases/champion').send({ version: 1 }).expect(200);
    await app.upload('waiting', twoInputs()).expect(201);
    await app.serve('class', classifierWithLabels(), { labels: ['buy', 'hold', 'sell'] });
    await app.serve('own', mapOutput([10, 20, 30]));
    await app.serve('root', of(nanOutput(), nanOutputTwin()));
    await app.serve('picky', of(nanOutput(), nanOutputTwin()), { nonFinite: 'reject' });
    await app.serve('index', failing());
    const identities = {
      free: of(identity(DTYPE.float32, [null, null]), identityTwin('float32', [-1, -1])),
      wide: of(identity(DTYPE.float32, [null, null, null]), identityTwin('float32', [-1, -1, -1])),
      scalar: of(identity(DTYPE.float32, []), identityTwin('float32', [])),
      half: identity(DTYPE.float16, [null, 2]),
      byte: identity(DTYPE.int8, [null]),
      long: identity(DTYPE.int64, [null]),
      truth: of(identity(DTYPE.bool, [null]), identityTwin('bool', [-1])),
      text: of(identity(DTYPE.string, [null, 1]), identityTwin('string', [-1, 1])),
      texts: of(identity(DTYPE.string, [null, 2]), identityTwin('string', [-1, 2])),
    };
    for (const [name, model] of Object.entries(identities)) await app.serve(name, model);
  });
  afterAll(async () => {
    hangUp();
    await app.close();
  });

  const send = ({ path = 'pair/infer', body, headers = {} }: Omit<Case, 'title'>): Promise<WireAnswer> => {
    const bytes = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    return post(`${app.origin}/v2/models/${path}`, bytes, headers);
  };

  describe.each(Object.entries(REFUSED))('is refused %s:', (_group, cases) => {
    it.each(cases)('$title', async ({ status, code, says, ...question }) => {
      const answer = await send({ ...question, headers: { 'Accept-Encoding': 'gzip', ...question.headers } });
      const { error, ...ours } = JSON.parse(answer.body.toString()) as { readonly error: string };
      expect({ error, ...ours }).toMatchObject({ status, code, correlationId: answer.headers['x-correlation-id'] });
      expect(answer.status).toBe(status);
      expect(error).toMatch(says instanceof RegExp ? says : expect.stringContaining(says).asymmetricMatch(error) ? /./ : says);
      expect(answer.headers).toMatchObject({ 'content-type': 'application/json' });
      expect(answer.headers['content-encoding']).toBeUndefined();
    });
  });

  describe.each(Object.entries(ANSWERED))('is answered %s:', (_group, cases) => {
    it.each(cases)('$title', async ({ answer: expected, binary = Buffer.alloc(0), answerHeaders = {}, ...question }) => {
      const answer = await send(question);
      expect([answer.status, answer.status === 200 ? '' : answer.body.toString()]).toEqual([200, '']);
      const length = Number(answer.headers[HEADER] ?? answer.body.length);
      expect(longAsText(answer.body.toString('utf8', 0, length))).toEqual(expected);
      expect(answer.body.subarray(length).toString('hex')).toBe(binary.toString('hex'));
      for (const [name, value] of Object.entries(answerHeaders)) expect([name, answer.headers[name]]).toEqual([name, value]);
      expect(answer.headers).toMatchObject({
        'x-model-version': '1',
        'content-length': String(answer.body.length),
        vary: /Accept-Encoding/.exec(String(answer.headers.vary))?.[0],
      });
    });
  });

  it('writes the members in the order of the protocol, and all elements in one array', async () => {
    const { body } = await send({
      path: 'wide/infer',
      body: { id: '1', inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 2, 1], data: [[[1], [2]]] }] },
    });
    expect(body.toString()).toBe(
      '{"id":"1","model_name":"wide","model_version":"1","outputs":[{"name":"y","datatype":"FP32","shape":[1,2,1],"data":[1,2]}]}',
    );
  });

  describe('compresses an answer', () => {
    const large = { path: 'free/infer', body: { inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 700], data: Array(700).fill(1.5) }] } };
    const largeBytes = { ...large, body: { ...large.body, parameters: { binary_data_output: true } } };
    const plain = async (
      question: Omit<Case, 'title'>,
      accepted: string | undefined,
    ): Promise<readonly [string | undefined, Buffer, WireAnswer]> => {
      const answer = await send({ ...question, headers: accepted === undefined ? {} : { 'Accept-Encoding': accepted } });
      const coding = answer.headers['content-encoding'];
      const body = coding === 'gzip' ? gunzipSync(answer.body) : coding === 'deflate' ? inflateSync(answer.body) : answer.body;
      return [coding, body, answer];
    };

    it.each([
      [undefined, undefined],
      ['identity', undefined],
      ['br, zstd', undefined],
      ['gzip;q=0', undefined],
      ['gzip;q=nonsense', undefined],
      ['identity, gzip;q=0.5', undefined],
      ['gzip', 'gzip'],
      ['gzip, deflate, br', 'gzip'],
      ['deflate, gzip;q=0.5', 'deflate'],
      ['gzip;q=0.2 , deflate;q=0.3', 'deflate'],
      ['GZIP', 'gzip'],
      ['*', 'gzip'],
      ['*;q=0, deflate', 'deflate'],
    ])('as Accept-Encoding says: %s', async (accepted, coding) => {
      const [, uncompressed] = await plain(large, undefined);
      const [given, body] = await plain(large, accepted);
      expect(given).toBe(coding);
      expect(body.equals(uncompressed)).toBe(true);
    });

    it('with bytes, whose header counts the JSON before compression', async () => {
      const [coding, body, answer] = await plain(largeBytes, 'gzip');
      expect([coding, answer.headers['content-type']]).toEqual(['gzip', 'application/octet-stream']);
      const length = Number(answer.headers[HEADER]);
      expect(JSON.parse(body.toString('utf8', 0, length))).toMatchObject({ outputs: [{ parameters: { binary_data_size: 2800 } }] });
      expect(body.length).toBe(length + 2800);
    });

    it('only where it is large', async () => {
      const { headers } = await send({
        path: 'free/infer',
        body: { inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 1], data: [1] }] },
        headers: { 'Accept-Encoding': 'gzip' },
      });
      expect(headers).toMatchObject({ vary: expect.stringContaining('Accept-Encoding') });
      expect(headers['content-encoding']).toBeUndefined();
    });
  });
});

/** Whole numbers of INT64 and UINT64 as their digits. */
function longAsText(text: string): unknown {
  return JSON.parse(/"datatype":"U?INT64"/.test(text) ? text.replace(/"data":\[([^\]]*)\]/, (_, digits: string) => `"data":[${digits.split(',').map((each) => `"${each}"`).join(',')}]`) : text); // prettier-ignore
}
