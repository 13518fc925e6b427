// What the cache costs where it never helps: our server with a cache in which nothing is ever found, and with none.
import { hash } from 'node:crypto';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { bodies, startOurNetwork, TARGET } from '../serving/competitors.mjs';
import { asJson, writeRequests } from '../serving/requests.mjs';
import { byTurns, warmUp } from '../serving/rounds.mjs';
import { microsAlone } from './alone.mjs';
import { CACHE_ON, countedSample, countsOf, LONG } from './known-answers.mjs';

const require = createRequire(import.meta.url);
const CONNECTIONS = 32;
/** An answer has made room for another long before its request comes again. */
const ENTRIES = 100;

/** The hash of what the cache writes of such a request to find it, and nothing around it. */
function hashMicros() {
  const { TensorWriter } = require('../../dist/inference/tensor-bytes');
  const [{ name, datatype, shape, data }] = JSON.parse(bodies[0]).inputs;
  const writer = new TensorWriter();
  writer.begin().number(1);
  writer.tensor({ name, datatype, shape, data: Float32Array.from(data) });
  writer.number(-1);
  const { written } = writer;
  return { hashedBytes: written.length, hashMicros: microsAlone(() => hash('sha256', written, 'base64url')) };
}

/**
 * wrk begins with the first request each time, which may be among the last ones of the time before: so one half is asked, and then the other.
 * @returns paths of both
 */
function halves(folder) {
  const middle = bodies.length / 2;
  return [bodies.slice(0, middle), bodies.slice(middle)].map((half, at) => {
    return writeRequests(join(folder, `misses-${at}.requests`), TARGET, half.map(asJson));
  });
}

/** @returns a sample a round; `hits`: those of the cache, which are to be none */
export async function measureMisses({ folder, rounds, seconds }) {
  const [first, ...others] = halves(folder);
  const servers = {
    cached: await startOurNetwork('misses', folder, { settings: { ...CACHE_ON, CACHE_ENTRIES: String(ENTRIES) }, cache: LONG }),
    off: await startOurNetwork('no-cache', folder, { settings: { CACHE_TTL_SECONDS: '0' }, cache: LONG }),
  };
  const how = { connections: CONNECTIONS, seconds };
  const wayOf = (server) => {
    const turns = [...others, first];
    return () => {
      const requests = turns.shift();
      turns.push(requests);
      return countedSample(server, { ...how, requests }, () => countsOf(server));
    };
  };
  for (const server of Object.values(servers)) await warmUp(server, { ...how, requests: first });
  const samples = await byTurns(rounds, { cached: wayOf(servers.cached), off: wayOf(servers.off) });
  return { connections: CONNECTIONS, ...hashMicros(), ...samples };
}
