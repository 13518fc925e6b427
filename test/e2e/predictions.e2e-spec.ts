import { classifierWithLabels, linear, nanOutput, slowLoop, twoInputs } from '../onnx/models';
import { DATATYPE_MODELS, identityOf } from '../onnx/datatypes';
import { describeBothWays, TestApp } from './test-app';

describeBothWays('predictions', (way) => {
  let app: TestApp;
  beforeAll(async () => void (app = await TestApp.start({ env: { ...way, MAX_CALLS_PER_MODEL: '2' } })));
  afterAll(() => app.close());

  it('answers one row as one prediction', async () => {
    await app.serve('price', linear([[2], [3]], [1]), { featureNames: ['open', 'volume'] });
    const { body, headers } = await app.predict('price', { features: { volume: 1, open: 10 } }).expect(200);
    expect(body).toEqual({ prediction: 24, confidence: null, timestamp: expect.any(String), model: 'price', model_version: 1 });
    expect(new Date(body.timestamp).getTime()).toBeGreaterThan(Date.now() - 60_000);
    expect(headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'x-cache': 'MISS',
      'x-model-version': '1',
      'x-model-digest': (await app.request().get('/api/v1/models/price/versions/1')).body.executable,
      'server-timing': expect.stringMatching(
        /^decode;dur=[\d.]+, cache;dur=[\d.]+, queue;dur=[\d.]+, infer;dur=[\d.]+, encode;dur=[\d.]+$/,
      ),
    });
  });

  it('answers several rows as several predictions, in their order, however they are written', async () => {
    const expected = [{ prediction: 24, confidence: null }, { prediction: 1, confidence: null }]; // prettier-ignore
    const bodies = [{ features: [{ open: 10, volume: 1 }, { open: 0, volume: 0 }] }, { features: [[10, 1], [0, 0]] }, { instances: [[10, 1], { volume: 0, open: 0 }] }]; // prettier-ignore
    for (const body of bodies) {
      const answer = await app.predict('price', body).expect(200);
      expect(answer.body).toEqual({ predictions: expected, timestamp: expect.any(String), model: 'price', model_version: 1 });
    }
  });

  it('answers a classifier with label, confidence and probabilities', async () => {
    await app.serve('klass', classifierWithLabels(), { labels: ['buy', 'hold', 'sell'] });
    const { body } = await app.predict('klass', { instances: [[1, 0]] }).expect(200);
    const [first] = body.predictions;
    expect(first.prediction).toBe('buy');
    expect(first.confidence).toBe(first.probabilities.buy);
    expect(Object.keys(first.probabilities)).toEqual(['buy', 'hold', 'sell']);
    expect(first.outputs).toMatchObject({ label: 0, probabilities: [first.confidence, expect.any(Number), expect.any(Number)] });
  });

  it('feeds a model of several inputs by their names', async () => {
    await app.serve('pair', twoInputs());
    const { body } = await app.predict('pair', { features: { a: 3, b: 4 } }).expect(200);
    expect(body).toMatchObject({ prediction: 7, outputs: { sum: 7, product: 12 } });
  });

  it('tells NaN as null, and says how many there were', async () => {
    await app.serve('root', nanOutput());
    const { body } = await app
      .predict('root', { instances: [[-1], [4]] })
      .expect(200)
      .expect('X-Non-Finite', '1');
    expect(body.predictions.map(({ prediction }: { prediction: unknown }) => prediction)).toEqual([null, 2]);
  });

  it.each(DATATYPE_MODELS)('carries $name there and back', async ({ name, datatype, value }) => {
    await app.serve(name, identityOf(datatype));
    const { body } = await app.predict(name, { instances: [[value]] }).expect(200);
    expect(body.predictions[0].prediction).toEqual(value);
  });

  it('refuses what is too much at once, and says when to come again', async () => {
    await app.serve('slow', slowLoop(400_000));
    const calls = await Promise.all(Array.from({ length: 5 }, (_, at) => app.predict('slow', { instances: [[at + 1]] })));
    expect(calls.map(({ status }) => status).sort()).toEqual([200, 200, 429, 429, 429]);
    const refused = calls.find(({ status }) => status === 429);
    expect(refused?.headers['retry-after']).toBe('1');
    expect(refused?.body).toMatchObject({ code: 'TOO_MANY_CALLS', expected: 'at most 2 calls at a time' });
    await app.predict('slow', { instances: [[0]] }).expect(200);
  });
});
