// Large JSON bodies: hits beside the same requests computed.
import { join } from 'node:path';
import { compareAnswers } from '../serving/answers.mjs';
import { startOurNetwork, TARGET } from '../serving/competitors.mjs';
import { NETWORKS } from '../serving/networks.mjs';
import { asJson, jsonBodies, writeRequests } from '../serving/requests.mjs';
import { byTurns, warmUp } from '../serving/rounds.mjs';
import { microsAlone } from './alone.mjs';
import { askAll, CACHE_ON, countedSample, countsOf, LONG, refuseOther, uncached } from './known-answers.mjs';

const [CONNECTIONS, ROWS, DISTINCT, COMPARED_HITS] = [8, 1000, 16, 3];
const bodies = jsonBodies(NETWORKS.perceptron, { rows: ROWS, distinct: DISTINCT });

async function fill(server) {
  const computed = await askAll(server, TARGET, bodies.map(uncached));
  refuseOther(computed.states, 'BYPASS');
  await askAll(server, TARGET, bodies.map(asJson));
  for (let time = 0; time < COMPARED_HITS; time++) {
    const kept = await askAll(server, TARGET, bodies.map(asJson));
    refuseOther(kept.states, 'HIT');
    compareAnswers('a large hit', kept.answers, computed.answers, { exact: true });
  }
}

/** @returns a sample a round of hits and of requests that were computed, and what parsing such a body takes by itself */
export async function measureLarge({ folder, rounds, seconds }) {
  const server = await startOurNetwork('large', folder, { settings: CACHE_ON, cache: LONG });
  await fill(server);
  const files = {
    hit: writeRequests(join(folder, 'large-hit.requests'), TARGET, bodies.map(asJson)),
    computed: writeRequests(join(folder, 'large-computed.requests'), TARGET, bodies.map(uncached)),
  };
  const samples = Object.entries(files).map(([way, requests]) => {
    return [way, () => countedSample(server, { requests, connections: CONNECTIONS, seconds }, () => countsOf(server))];
  });
  for (const requests of Object.values(files)) await warmUp(server, { requests, connections: CONNECTIONS, seconds });
  const [body] = bodies;
  const parseMicros = microsAlone(() => JSON.parse(body));
  return { connections: CONNECTIONS, rows: ROWS, bytes: body.length, parseMicros, ...(await byTurns(rounds, Object.fromEntries(samples))) };
}
