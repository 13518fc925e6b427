// Every request a hit: our memory tier and the rivals' caches beside servers that compute. One row a request, JSON, the same requests for all.
import { compareAnswers } from '../serving/answers.mjs';
import { bodies, compare, scriptOf, startOther, startOurNetwork, startRivals, TARGET, writeBodies } from '../serving/competitors.mjs';
import { asJson } from '../serving/requests.mjs';
import { byTurns, warmUp } from '../serving/rounds.mjs';
import { askAll, CACHE_ON, countedSample, countsOf, LONG, refuseOther } from './known-answers.mjs';
import { missesIn, startRedis, withRedis } from './redis-server.mjs';

const CONNECTIONS = [1, 32, 128];
const [WARM_CONNECTIONS, ECHO_CONNECTIONS] = [32, 32];
/** A body that comes again is learnt at its first hit: what is answered then is compared as well. */
const COMPARED_HITS = 3;
const uncounted = () => ({});

/** Our server with an answer to every request in its memory. @returns the answers as they were computed */
async function startOurHits(folder) {
  const server = await startOurNetwork('hits', folder, { settings: CACHE_ON, cache: LONG });
  const requests = bodies.map(asJson);
  const computed = await askAll(server, TARGET, requests);
  refuseOther(computed.states, 'MISS');
  for (let time = 0; time < COMPARED_HITS; time++) {
    const kept = await askAll(server, TARGET, requests);
    refuseOther(kept.states, 'HIT');
    compareAnswers('a hit', kept.answers, computed.answers, { exact: true });
  }
  console.log(`all ${bodies.length} requests are hits, ${COMPARED_HITS} times in the bits that were computed`);
  return { server, wanted: computed.answers };
}

async function tritonMisses({ origin }) {
  const { model_stats: models } = await (await fetch(`${origin}/v2/models/stats`)).json();
  return models.reduce((sum, { inference_stats: { cache_miss: misses } }) => sum + Number(misses.count), 0);
}

/** A rival whose cache needs something that is not there is left out like any other. */
async function redisFor({ folder, skipped }) {
  try {
    return await startRedis({ name: 'rival-redis', folder });
  } catch (error) {
    skipped['fastapi-cache'] = error.message;
    console.log(`SKIPPED fastapi-cache: ${error.message}`);
    return undefined;
  }
}

/** @throws where a server does not count the misses that it had when it was asked for everything the first time */
async function countOf(name, misses) {
  const first = await misses();
  if (!(first >= bodies.length)) throw new Error(`${name} counts ${first} misses instead of ${bodies.length}`);
  return async () => ({ strays: await misses() });
}

/** They were asked for everything once, when their answers were compared with ours. */
async function startCachedRivals(context) {
  const redis = await redisFor(context);
  const names = redis === undefined ? ['triton-cache'] : ['triton-cache', 'fastapi-cache'];
  const started = await startRivals(names, { ...context, redisUrl: redis?.url });
  const rivals = {};
  const { 'triton-cache': triton, 'fastapi-cache': fastapi } = started;
  if (triton) rivals['triton-cache'] = { server: triton, count: await countOf('triton-cache', () => tritonMisses(triton)) };
  if (fastapi)
    rivals['fastapi-cache'] = { server: withRedis(fastapi, redis), count: await countOf('fastapi-cache', () => missesIn(redis.url)) };
  return rivals;
}

/** All that are compared, up at the same time, and what counts their requests that were no hits. */
async function startAll({ folder, model, rivals, ...context }) {
  const { server, wanted } = await startOurHits(folder);
  const limit = await startOther('limit', folder, scriptOf('limit.mjs', [model]));
  const echo = await startOther('echo', folder, scriptOf('echo.mjs', []));
  await compare('limit', limit, wanted, true);
  return {
    ours: { server, count: await countOf('ours', async () => (await countsOf(server)).computed) },
    limit: { server: limit, count: uncounted },
    echo: { server: echo, count: uncounted },
    ...(rivals ? await startCachedRivals({ folder, model, wanted, ...context }) : {}),
  };
}

/** `echo` is there to tell whether the limit is one, at as many connections as that is said of. */
const isAsked = (name, connections) => name !== 'echo' || connections === ECHO_CONNECTIONS;

/** @returns by number of connections and server, a sample a round; `strays`: requests that no cache answered */
export async function measureHits({ rounds, seconds, ...context }) {
  const requests = writeBodies(context.folder);
  const all = Object.entries(await startAll(context));
  const loaded = (connections, time) => {
    const asked = all.filter(([name]) => isAsked(name, connections));
    const how = { requests, connections, seconds: time };
    return Object.fromEntries(asked.map(([name, { server, count }]) => [name, () => countedSample(server, how, count)]));
  };
  for (const [, { server }] of all) await warmUp(server, { requests, connections: WARM_CONNECTIONS, seconds });
  const hits = {};
  for (const connections of CONNECTIONS) {
    await byTurns(1, loaded(connections, 1)); // as many connections are a way of their own
    hits[connections] = await byTurns(rounds, loaded(connections, seconds));
    console.log(`measured with ${connections} connections`);
  }
  return hits;
}
