// Requests a second, latencies and CPU of every server: one row a request, JSON, the same requests for all.
import { join } from 'node:path';
import { answersOf, ask, compareAnswers } from './answers.mjs';
import { NETWORKS } from './networks.mjs';
import { knowsSetting, publish, startOurs } from './ours.mjs';
import { Program } from './program.mjs';
import { asJson, jsonBodies, writeRequests } from './requests.mjs';
import { prepareRival, RIVAL_NAMES } from './rivals.mjs';
import { byTurns, sample, warmUp } from './rounds.mjs';

const CONNECTIONS = [1, 32, 128];
const WARM_CONNECTIONS = 32;
const MODEL = 'perceptron';
const TARGET = `/v2/models/${MODEL}/infer`;
const bodies = jsonBodies(NETWORKS[MODEL]);

/** One of the servers beside this file. */
export const scriptOf = (script, args) => (port) => ({
  file: process.execPath,
  args: [join(import.meta.dirname, script), String(port), ...args],
});

async function start(name, folder, command) {
  const program = await Program.start({ command, log: join(folder, `${name}.log`) });
  return program.ready((origin) => ask(origin, TARGET, asJson(bodies[0])));
}

/** Our server with the network in it. Its cache would answer what was asked before: it stays off. */
async function ours(name, folder, settings) {
  const server = await startOurs({ name, folder, settings });
  await publish(server, MODEL, new Blob([NETWORKS[MODEL].bytes]), { cache: { enabled: false } });
  return server;
}

/** @throws where a server answers otherwise than ours @param exact whether every bit must be the same */
async function compare(name, server, wanted, exact) {
  const difference = compareAnswers(name, await answersOf(server, TARGET, bodies), wanted, { exact });
  console.log(
    `${name} answers all ${bodies.length} requests ${difference === 0 ? 'in the same bits' : `within ${difference.toExponential(0)}`}`,
  );
}

async function startRival(name, { folder, model, onnxruntime, wanted }) {
  const { command, versions } = await prepareRival(name, model, { name: MODEL, workFolder: folder, onnxruntime });
  const server = await start(name, folder, command);
  try {
    await compare(name, server, wanted, false);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { server, versions };
}

/** What cannot be had on this machine is left out, aloud. */
async function startRivals({ skipped, versions, ...context }) {
  const started = {};
  for (const name of RIVAL_NAMES) {
    try {
      const rival = await startRival(name, context);
      started[name] = rival.server;
      versions[name] = rival.versions;
    } catch (error) {
      skipped[name] = (error.stderr || error.message).trim();
      console.log(`SKIPPED ${name}: ${skipped[name]}`);
    }
  }
  return started;
}

function isolation() {
  if (knowsSetting('MODEL_ISOLATION')) return { MODEL_ISOLATION: 'always' };
  console.log('this server has no MODEL_ISOLATION: "isolated" is run without it');
  return {};
}

/** All that are compared, up at the same time; nobody is among them who answers otherwise. */
async function startAll({ folder, model, rivals, ...context }) {
  const servers = {
    ours: await ours('ours', folder, {}),
    isolated: await ours('isolated', folder, isolation()),
    limit: await start('limit', folder, scriptOf('limit.mjs', [model])),
    echo: await start('echo', folder, scriptOf('echo.mjs', [])),
  };
  const wanted = await answersOf(servers.ours, TARGET, bodies);
  for (const name of ['isolated', 'limit']) await compare(name, servers[name], wanted, true);
  return rivals ? { ...servers, ...(await startRivals({ folder, model, wanted, ...context })) } : servers;
}

/** @returns by number of connections and server, a sample a round */
export async function measureRates({ folder, rounds, seconds, ...context }) {
  const requests = writeRequests(join(folder, 'one-row.requests'), TARGET, bodies.map(asJson));
  const servers = await startAll({ folder, ...context });
  const loaded = (connections, time) => {
    const ways = Object.entries(servers).map(([name, server]) => [name, () => sample(server, { requests, connections, seconds: time })]);
    return Object.fromEntries(ways);
  };
  for (const server of Object.values(servers)) await warmUp(server, { requests, connections: WARM_CONNECTIONS, seconds });
  const rates = {};
  for (const connections of CONNECTIONS) {
    await byTurns(1, loaded(connections, 1)); // as many connections are a way of their own
    rates[connections] = await byTurns(rounds, loaded(connections, seconds));
    console.log(`measured with ${connections} connections`);
  }
  return rates;
}
