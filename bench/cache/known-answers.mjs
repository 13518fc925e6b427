// What our server's cache did: of single requests by their headers, of many by its own counts.
import { ask } from '../serving/answers.mjs';
import { asJson } from '../serving/requests.mjs';
import { sample } from '../serving/rounds.mjs';

/** Longer than any bench, whatever chance takes of it. */
export const LONG = { ttlSeconds: 86_400 };
/** The server's own default for how long, so that it is on. */
export const CACHE_ON = { CACHE_TTL_SECONDS: '' };

/** A request that is computed, and of which nothing is kept. */
export function uncached(body) {
  const { headers, ...request } = asJson(body);
  return { ...request, headers: { ...headers, 'Cache-Control': 'no-store' } };
}

/** Asks each once. @returns the outputs' numbers, what `X-Cache` says of each, and what the server says it took */
export async function askAll({ origin }, target, requests) {
  const [answers, states, timings] = [[], [], []];
  for (const request of requests) {
    const response = await ask(origin, target, request);
    const text = await response.text();
    if (response.status !== 200) throw new Error(`answered ${response.status}: ${text}`);
    answers.push(Float32Array.from(JSON.parse(text).outputs[0].data.flat(Infinity)));
    states.push(response.headers.get('x-cache'));
    timings.push(response.headers.get('server-timing'));
  }
  return { answers, states, timings };
}

/** @throws where one of them is in another state */
export function refuseOther(states, wanted) {
  const others = states.filter((state) => state !== wanted);
  if (others.length > 0)
    throw new Error(`${others.length} of ${states.length} answers are no ${wanted}: ${[...new Set(others)].join(', ')}`);
}

/** Since the server started: how often it answered what was kept and otherwise, and which tier had it. */
export async function countsOf({ origin }) {
  const { answers, memory, redis } = await (await fetch(`${origin}/api/v1/cache`)).json();
  const { hits, misses, coalesced, bypassed } = answers;
  return { hits, computed: misses + coalesced + bypassed, memoryHits: memory.hits, redisHits: redis?.hits ?? 0 };
}

/** As `sample`. @param count asks for counts, as many as there are @returns what each of them grew by, too */
export async function countedSample(program, how, count) {
  const before = await count();
  const seen = await sample(program, how);
  const after = await count();
  return { ...seen, ...Object.fromEntries(Object.entries(after).map(([name, value]) => [name, value - before[name]])) };
}
