import { setTimeout as sleep } from 'node:timers/promises';
import { linear } from '../onnx/models';
import { freshFolder, TestApp } from './test-app';

describe('two servers on one folder', () => {
  let one: TestApp;
  let two: TestApp;
  beforeAll(async () => {
    const modelsDir = freshFolder();
    one = await TestApp.start({ modelsDir });
    two = await TestApp.start({ modelsDir });
  });
  afterAll(() => Promise.all([one.close(), two.close()]));

  const promote = (app: TestApp, version: number, stage = 'production') =>
    app.request().post(`/api/v1/models/line/versions/${version}/promote`).send({ stage }).expect(200);

  /** Asks until the answer comes from `version`, for two seconds at most. */
  const answersFrom = async (app: TestApp, version: string): Promise<void> => {
    for (let wait = 0; wait < 20; wait++) {
      const { headers, status } = await app.predict('line', { instances: [[10]] });
      if (status === 200 && headers['x-model-version'] === version) return;
      await sleep(100);
    }
    throw new Error(`version ${version} is not served after two seconds`);
  };

  it('serve what the other one promoted', async () => {
    await one.serve('line', linear([[1]]));
    await answersFrom(two, '1');
    await two.upload('line', linear([[2]])).expect(201);
    await promote(two, 2);
    await answersFrom(one, '2');
  });

  it('serve nothing any more once the other one moved the version away', async () => {
    await promote(one, 2, 'archived');
    for (let wait = 0; wait < 20 && (await two.predict('line', { instances: [[1]] })).status === 200; wait++) await sleep(100);
    expect((await two.predict('line', { instances: [[1]] })).body.code).toBe('NO_PRODUCTION_VERSION');
  });

  it('give every upload its own number, whoever takes it', async () => {
    const uploads = Array.from({ length: 6 }, (_, at) => (at % 2 ? one : two).upload('race', linear([[at]])).expect(201));
    const answers = await Promise.all(uploads);
    expect(answers.map(({ body }) => body.version).sort()).toEqual([1, 2, 3, 4, 5, 6]);
    const lists = await Promise.all([one, two].map(async (app) => (await app.request().get('/api/v1/models/race')).body.latest));
    expect(Math.max(...lists)).toBe(6);
  });
});
