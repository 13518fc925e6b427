import { setTimeout as sleep } from 'node:timers/promises';
import { describeWithRedis, RedisProcess } from '../cache/redis-process';
import { linear } from '../onnx/models';
import { Random, SEED } from '../open-inference/random';
import { until } from '../process/processes';
import { Caller, predictionOf } from '../scheduling/caller';
import { describeInProcess, freshFolder, TestApp } from './test-app';

interface RedisFigures {
  readonly breaker: string;
  readonly listening: boolean;
  readonly hits: number;
}

/** A container would look for it on its own loopback. */
const describeHere = describeInProcess === describe ? describeWithRedis : describeInProcess;

describeHere('replicas with one Redis', () => {
  let redis: RedisProcess;
  let apps: TestApp[];
  beforeAll(async () => {
    redis = await RedisProcess.start();
    const modelsDir = freshFolder();
    const env = { REDIS_URL: redis.url };
    apps = [];
    for (let replica = 0; replica < 2; replica++) apps.push(await TestApp.start({ modelsDir, env }));
    for (const replica of apps) await until('Redis is found', async () => (await redisOf(replica))?.listening === true);
    await one().serve('line', linear([[2]], [1]));
    await until('the other one serves it', async () => (await two().predict('line', { instances: [[-1]] })).status === 200);
  });
  afterAll(async () => {
    for (const replica of apps) await replica.close();
    await redis.remove();
  });

  const one = (): TestApp => apps[0] as TestApp;
  const two = (): TestApp => apps[1] as TestApp;
  const redisOf = async (app: TestApp): Promise<RedisFigures | undefined> =>
    ((await app.request().get('/api/v1/cache').expect(200)).body as { readonly redis?: RedisFigures }).redis;
  const ask = async (app: TestApp, row: number, headers: Readonly<Record<string, string>> = {}) => {
    const { body, headers: told } = await app
      .predict('line', { instances: [[row]] })
      .set(headers)
      .expect(200);
    expect(body.predictions[0].prediction).toBe(2 * row + 1);
    return [told['x-cache'], told['age']];
  };

  it('answer from what the other one computed, and go on counting its age', async () => {
    expect(await ask(one(), 1)).toEqual(['MISS', undefined]);
    await sleep(1100);
    const hits = (await redisOf(two()))?.hits as number;
    expect(await ask(two(), 1)).toEqual(['HIT', '1']);
    expect((await redisOf(two()))?.hits).toBe(hits + 1);
    expect(await ask(two(), 1)).toEqual(['HIT', '1']); // it is in memory by then
    expect((await redisOf(two()))?.hits).toBe(hits + 1);
  });

  it('ask it once for many equal questions', async () => {
    expect(await ask(one(), 2)).toEqual(['MISS', undefined]);
    await sleep(50);
    const hits = (await redisOf(two()))?.hits as number;
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask(two(), 2)));
    expect(new Set(answers.map(String))).toEqual(new Set(['HIT,0']));
    expect((await redisOf(two()))?.hits).toBe(hits + 1);
  });

  it('leave it alone for who says so', async () => {
    expect(await ask(one(), 3, { 'Cache-Control': 'no-store' })).toEqual(['BYPASS', undefined]);
    expect(await ask(two(), 3)).toEqual(['MISS', undefined]);
    await sleep(50);
    expect(await ask(one(), 3, { 'Cache-Control': 'no-cache' })).toEqual(['MISS', undefined]);
  });

  it('forget what the other one was told to forget', async () => {
    for (const app of apps) await ask(app, 4);
    const { body } = await one().request().delete('/api/v1/cache?model=line').expect(200);
    expect(body.removed).toBeGreaterThanOrEqual(1);
    await until('the other one has heard of it', async () => {
      const entries = (await two().request().get('/api/v1/cache')).body.memory.entries as number;
      return entries === 0;
    });
    expect(await ask(two(), 4)).toEqual(['MISS', undefined]);
  });

  it(`give everybody their own answer, while a third of them leave at any time (SEED=${SEED})`, async () => {
    const random = new Random(SEED);
    const callers = apps.map((app) => new Caller(app.origin));
    const told = { wrong: [] as unknown[], left: 0, states: new Set<unknown>() };
    const someone = async (): Promise<void> => {
      for (let turn = 0; turn < 40; turn++) {
        const row = 1000 + random.below(25); // few enough to be asked for by many at once, and again
        const nonce = `asked-${String(random.below(2 ** 31)).padStart(10, '0')}`;
        const directive = random.pick(['max-age=60', 'max-age=60', 'max-age=60', 'no-cache', 'no-store']);
        const { reply, leave } = random.pick(callers).send('/api/v1/predict/line', { instances: [[row]] }, { 'X-Correlation-Id': nonce, 'Cache-Control': directive }); // prettier-ignore
        if (random.chance(3)) setTimeout(leave, random.below(8));
        const answer = await reply.catch(() => undefined);
        if (answer === undefined) {
          told.left++;
          continue;
        }
        told.states.add(answer.headers['x-cache']);
        const own = answer.status === 200 && predictionOf(answer) === 2 * row + 1 && answer.headers['x-correlation-id'] === nonce;
        if (!own) told.wrong.push([answer.status, row, predictionOf(answer)]);
      }
    };
    const clear = async (): Promise<void> => void (await one().request().delete('/api/v1/cache'));
    const clearing = setInterval(() => void clear(), 20);
    await Promise.all(Array.from({ length: 64 }, someone));
    clearInterval(clearing);
    for (const caller of callers) caller.hangUp();
    expect(told.wrong).toEqual([]);
    expect(told.left).toBeGreaterThan(100);
    expect(told.states).toEqual(new Set(['HIT', 'MISS', 'COALESCED', 'BYPASS']));
  });

  it('answer each for itself while it is away', async () => {
    await redis.kill();
    for (const app of apps) {
      expect((await ask(app, 5))[0]).toBe('MISS');
      expect((await ask(app, 5))[0]).toBe('HIT');
    }
    expect((await one().request().delete('/api/v1/cache').expect(200)).body.removed).toBeGreaterThanOrEqual(1);
  });
});
