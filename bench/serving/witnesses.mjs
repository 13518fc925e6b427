// What the access log, the metrics of requests and the correlation cost together: our server with and without them.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from './answers.mjs';
import { NETWORKS } from './networks.mjs';
import { publish, startOurs } from './ours.mjs';
import { asJson, jsonBodies, writeRequests } from './requests.mjs';
import { byTurns, sample, warmUp } from './rounds.mjs';

const [MODEL, CONNECTIONS] = ['perceptron', 32];
const TARGET = `/v2/models/${MODEL}/infer`;
/** The log is written when there is time for it. */
const LINE_MS = 300;
const PRELOAD = join(import.meta.dirname, 'without-witnesses.cjs');
const bodies = jsonBodies(NETWORKS[MODEL]);

/** Whether the server gives a request an id, writes a line of it and counts it. */
async function seenBy(server) {
  server.forgetLog();
  const { headers } = await ask(server.origin, TARGET, asJson(bodies[0]));
  await sleep(LINE_MS);
  const metrics = await (await fetch(`${server.origin}/metrics`)).text();
  return {
    id: headers.has('x-correlation-id'),
    counted: /^http_request_duration_seconds_count\{.*infer/m.test(metrics),
    predicted: new RegExp(`^prediction_duration_seconds_count\\{model="${MODEL}"`, 'm').test(metrics),
    line: server.said.includes(TARGET),
  };
}

async function refuseWrong(name, server, wanted) {
  const seen = await seenBy(server);
  const wrong = Object.keys(seen).filter((what) => seen[what] !== wanted);
  if (wrong.length > 0) throw new Error(`the server ${name} log, metrics and correlation: ${JSON.stringify(seen)}`);
}

export async function measureWitnesses({ folder, rounds, seconds }) {
  const requests = writeRequests(join(folder, 'witnesses.requests'), TARGET, bodies.map(asJson));
  const servers = {
    with: await startOurs({ name: 'with', folder }),
    without: await startOurs({ name: 'without', folder, preload: PRELOAD }),
  };
  for (const server of Object.values(servers))
    await publish(server, MODEL, new Blob([NETWORKS[MODEL].bytes]), { cache: { enabled: false } });
  const how = { requests, connections: CONNECTIONS, seconds };
  const ways = { with: () => sample(servers.with, how), without: () => sample(servers.without, how) };
  for (const server of Object.values(servers)) await warmUp(server, how);
  await refuseWrong('with', servers.with, true);
  await refuseWrong('without', servers.without, false);
  return byTurns(rounds, ways);
}
