// Requests a second, latencies and CPU of every server: one row a request, JSON, the same requests for all.
import { join } from 'node:path';
import { answersOf, ask, compareAnswers } from './answers.mjs';
import { NETWORKS } from './networks.mjs';
import { knowsSetting, publish, startOurs } from './ours.mjs';
import { Program } from './program.mjs';
import { jsonBodies, JSON_HEADERS, writeRequests } from './requests.mjs';
import { prepareRival, RIVAL_NAMES } from './rivals.mjs';
import { byTurns, sample } from './rounds.mjs';

export const CONNECTIONS = [1, 32, 128];
/** Before the first figure each server has made so many rounds' worth of answers: its code is compiled by then. */
const [WARM_ROUNDS, WARM_CONNECTIONS] = [2, 32];
const MODEL = 'perceptron';
const TARGET = `/v2/models/${MODEL}/infer`;
const bodies = jsonBodies(NETWORKS[MODEL]);
const answers = (origin) => ask(origin, TARGET, { body: bodies[0] });

export const node = (script, args) => (port) => ({
  file: process.execPath,
  args: [join(import.meta.dirname, script), String(port), ...args],
});

/** Our server with the network in it. Its cache would answer what was asked before: it stays off. */
async function ours(name, folder, settings) {
  const server = await startOurs({ name, folder, settings });
  await publish(server, MODEL, new Blob([NETWORKS[MODEL].bytes]), { cache: { enabled: false } });
  return server;
}

async function startRivals({ folder, model, onnxruntime, skipped, versions }) {
  const started = {};
  for (const name of RIVAL_NAMES) {
    try {
      const { command, versions: its } = await prepareRival(name, model, { name: MODEL, workFolder: folder, onnxruntime });
      started[name] = await (await Program.start({ command, log: join(folder, `${name}.log`) })).ready(answers);
      versions[name] = its;
    } catch (error) {
      skipped[name] = (error.stderr || error.message).trim();
      console.log(`SKIPPED ${name}: ${skipped[name]}`);
    }
  }
  return started;
}

/** All that are compared, up at the same time. */
async function startAll({ folder, model, rivals, ...context }) {
  const start = async (name, command) => (await Program.start({ command, log: join(folder, `${name}.log`) })).ready(answers);
  const isolation = knowsSetting('MODEL_ISOLATION') ? { MODEL_ISOLATION: 'always' } : {};
  if (isolation.MODEL_ISOLATION === undefined) console.log('this server has no MODEL_ISOLATION: "isolated" is run without it');
  return {
    ours: await ours('ours', folder, {}),
    isolated: await ours('isolated', folder, isolation),
    limit: await start('limit', node('limit.mjs', [model])),
    echo: await start('echo', node('echo.mjs', [])),
    ...(rivals ? await startRivals({ folder, model, ...context }) : {}),
  };
}

async function compareAll({ ours: first, echo: _, ...others }) {
  const wanted = await answersOf(first, TARGET, bodies);
  for (const [name, server] of Object.entries(others)) {
    const exact = name === 'limit' || name === 'isolated';
    const difference = compareAnswers(name, await answersOf(server, TARGET, bodies), wanted, { exact });
    console.log(
      `${name} answers all ${bodies.length} requests ${difference === 0 ? 'in the same bits' : `within ${difference.toExponential(0)}`}`,
    );
  }
}

/** @returns by number of connections and server, a sample a round */
export async function measureRates({ folder, rounds, seconds, ...context }) {
  const requests = writeRequests(
    join(folder, 'one-row.requests'),
    TARGET,
    bodies.map((body) => ({ headers: JSON_HEADERS, body })),
  );
  const servers = await startAll({ folder, ...context });
  await compareAll(servers);
  const loaded = (connections, time) => {
    const ways = Object.entries(servers).map(([name, server]) => [name, () => sample(server, { requests, connections, seconds: time })]);
    return Object.fromEntries(ways);
  };
  await byTurns(WARM_ROUNDS, loaded(WARM_CONNECTIONS, seconds));
  const rates = {};
  for (const connections of CONNECTIONS) {
    await byTurns(1, loaded(connections, 1)); // as many connections are a way of their own
    rates[connections] = await byTurns(rounds, loaded(connections, seconds));
    console.log(`measured with ${connections} connections`);
  }
  return rates;
}
