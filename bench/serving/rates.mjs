// Requests a second, latencies and CPU of every server: one row a request, JSON, the same requests for all.
import { answersOf } from './answers.mjs';
import { bodies, compare, scriptOf, startOther, startOurNetwork, startRivals, TARGET, writeBodies } from './competitors.mjs';
import { knowsSetting } from './ours.mjs';
import { byTurns, sample, warmUp } from './rounds.mjs';

const CONNECTIONS = [1, 32, 128];
const WARM_CONNECTIONS = 32;
const RIVALS = ['fastapi-raw', 'fastapi-typed', 'triton', 'mlserver'];
/** It would answer what was asked before. */
const NO_CACHE = { enabled: false };

function isolation() {
  if (knowsSetting('MODEL_ISOLATION')) return { MODEL_ISOLATION: 'always' };
  console.log('this server has no MODEL_ISOLATION: "isolated" is run without it');
  return {};
}

/** All that are compared, up at the same time. */
async function startAll({ folder, model, rivals, ...context }) {
  const servers = {
    ours: await startOurNetwork('ours', folder, { cache: NO_CACHE }),
    isolated: await startOurNetwork('isolated', folder, { settings: isolation(), cache: NO_CACHE }),
    limit: await startOther('limit', folder, scriptOf('limit.mjs', [model])),
    echo: await startOther('echo', folder, scriptOf('echo.mjs', [])),
  };
  const wanted = await answersOf(servers.ours, TARGET, bodies);
  for (const name of ['isolated', 'limit']) await compare(name, servers[name], wanted, true);
  return rivals ? { ...servers, ...(await startRivals(RIVALS, { folder, model, wanted, ...context })) } : servers;
}

/** @returns by number of connections and server, a sample a round */
export async function measureRates({ rounds, seconds, ...context }) {
  const requests = writeBodies(context.folder);
  const servers = await startAll(context);
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
