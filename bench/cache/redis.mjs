// Hits that only Redis has, as those of a replica that has just started, beside running a model that takes some milliseconds.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onnxModels } from '../load.mjs';
import { compareAnswers } from '../serving/answers.mjs';
import { publish, startOurs } from '../serving/ours.mjs';
import { asJson, writeRequests } from '../serving/requests.mjs';
import { byTurns, warmUp } from '../serving/rounds.mjs';
import { askAll, CACHE_ON, countedSample, countsOf, LONG, refuseOther, uncached } from './known-answers.mjs';
import { startRedis, withRedis } from './redis-server.mjs';

const CONNECTIONS = [1, 32];
const [RUN_MS, TRIAL_TURNS, TRIALS, DISTINCT] = [5, 10_000, 40, 500];
const [FOUND_MS, FILL_TIMES] = [10_000, 3];
const MODEL = 'slow';
const targetOf = (model) => `/v2/models/${model}/infer`;
/** Its loop takes the same for one row and for many: together, calls would cost next to nothing. */
const ALONE = { batching: 'off' };
const { slowLoop } = onnxModels();

/** The loop turns where x is above a half. */
const bodies = Array.from({ length: DISTINCT }, (_, at) =>
  JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 1], data: [1 + at / 1024] }] }),
);

/** Milliseconds of a run, as the server has it; one of the fastest, as what else the machine does only adds. */
async function runMs(server, model) {
  const { timings } = await askAll(server, targetOf(model), bodies.slice(0, TRIALS).map(uncached));
  const sorted = timings.map((timing) => Number(/infer;dur=([\d.]+)/.exec(timing)[1])).toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 10)];
}

/** Publishes a model whose run takes about as long as it is to. @returns how long it takes */
async function publishSlow(server) {
  await publish(server, 'trial', new Blob([slowLoop(TRIAL_TURNS)]), ALONE);
  const turns = Math.round((TRIAL_TURNS * RUN_MS) / (await runMs(server, 'trial')));
  await publish(server, MODEL, new Blob([slowLoop(turns)]), { ...ALONE, cache: LONG });
  return runMs(server, MODEL);
}

async function findRedis({ origin }) {
  for (const until = performance.now() + FOUND_MS; performance.now() < until; await sleep(50)) {
    const { redis } = await (await fetch(`${origin}/api/v1/cache`)).json();
    if (redis.breaker === 'closed') return;
  }
  throw new Error(`the server did not find its Redis within ${FOUND_MS} ms`);
}

/** Until Redis has all of them. @throws where it does not get there */
async function fill(server) {
  const requests = bodies.map(asJson);
  const computed = await askAll(server, targetOf(MODEL), bodies.map(uncached));
  refuseOther(computed.states, 'BYPASS');
  let kept;
  for (let time = 0; time < FILL_TIMES; time++) kept = await askAll(server, targetOf(MODEL), requests);
  refuseOther(kept.states, 'HIT');
  compareAnswers('a hit in Redis', kept.answers, computed.answers, { exact: true });
  const { memoryHits } = await countsOf(server);
  if (memoryHits > 0) throw new Error(`${memoryHits} hits in memory`);
}

/** @returns by number of connections, a sample a round of hits and of runs */
export async function measureRedis({ folder, rounds, seconds }) {
  const redis = await startRedis({ name: 'redis', folder });
  const settings = { ...CACHE_ON, CACHE_ENTRIES: '1', REDIS_URL: redis.url }; // the next request is always another one
  const server = await startOurs({ name: 'redis-hits', folder, settings });
  await findRedis(server);
  const ms = await publishSlow(server);
  await fill(server);
  console.log(`a run takes ${ms.toFixed(1)} ms; all ${DISTINCT} requests are hits in Redis`);
  const files = {
    hit: writeRequests(join(folder, 'redis-hit.requests'), targetOf(MODEL), bodies.map(asJson)),
    run: writeRequests(join(folder, 'redis-run.requests'), targetOf(MODEL), bodies.map(uncached)),
  };
  const both = withRedis(server, redis);
  const seen = {};
  for (const connections of CONNECTIONS) {
    const ways = Object.entries(files).map(([way, requests]) => {
      return [way, () => countedSample(both, { requests, connections, seconds }, () => countsOf(server))];
    });
    for (const requests of Object.values(files)) await warmUp(both, { requests, connections, seconds: 1 });
    seen[connections] = await byTurns(rounds, Object.fromEntries(ways));
    console.log(`measured with ${connections} connections`);
  }
  return { runMs: ms, by: seen };
}
