// Predictions a second of a small perceptron for 1, 32 and 128 callers: each run by itself, put together, and by the server of another checkout.
// usage: npm run --silent build && node bench/connections.mjs [--before CHECKOUT] [--json FILE]
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Callers, closedLoop, machine, median, onnxModels, requestOf, Server, share } from './load.mjs';

const CONNECTIONS = [1, 32, 128];
const [ROUNDS, SECONDS, WARM_SECONDS] = [3, 2, 0.5];
const BODY = JSON.stringify({ instances: [Array.from({ length: 16 }, (_, at) => at / 16)] });

const { values } = parseArgs({ options: { before: { type: 'string' }, json: { type: 'string' } } });
const commitOf = (checkout) => execFileSync('git', ['-C', checkout, 'rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
const model = onnxModels().mlp(16, 64, 2);

/** @returns what asks that server for predictions, from so many callers at once */
async function wayOf(name, server, metadata) {
  await server.serve(name, model, metadata);
  const request = requestOf(server, 'POST', `/api/v1/predict/${name}`, BODY);
  return async (connections) => {
    const callers = new Callers(server);
    await closedLoop({ callers, request, connections, seconds: WARM_SECONDS });
    const { perSecond, times } = await closedLoop({ callers, request, connections, seconds: SECONDS });
    callers.close();
    return { perSecond, p99: share(times, 0.99) };
  };
}

const servers = [];
try {
  const start = async (checkout) => {
    servers.push(await Server.start(checkout));
    return servers.at(-1);
  };
  const ours = await start();
  const ways = { alone: await wayOf('alone', ours, { batching: 'off' }), together: await wayOf('together', ours, {}) };
  if (values.before !== undefined) ways.before = await wayOf('before', await start(resolve(values.before)), {});
  console.log(
    `${machine().cpus} x ${machine().model}, Node ${machine().node}; closed loop, the callers on the same machine; ${ROUNDS} rounds of ${SECONDS} s by turns`,
  );
  for (const way of Object.values(ways)) await way(32); // warm
  const rows = [];
  for (const connections of CONNECTIONS) {
    const seen = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, way] of Object.entries(ways)) seen[name].push(await way(connections));
    }
    const row = { connections };
    for (const [name, results] of Object.entries(seen)) {
      const rates = results.map(({ perSecond }) => Math.round(perSecond));
      row[name] = { median: median(rates), best: Math.max(...rates), p99: Number(median(results.map(({ p99 }) => p99)).toFixed(1)) };
    }
    rows.push(row);
    const { together, ...others } = row;
    const against = Object.entries(others).filter(([name]) => name !== 'connections');
    const said = against.map(([name, { median: rate, best, p99 }]) => {
      const ratios = `${(together.median / rate).toFixed(2)} of its median, ${(together.best / best).toFixed(2)} of its best`;
      return `; ${name} ${rate}/s (best ${best}, p99 ${p99} ms): ${ratios}`;
    });
    console.log(
      `${String(connections).padStart(3)} callers: together ${together.median}/s (best ${together.best}, p99 ${together.p99} ms)${said.join('')}`,
    );
  }
  const commits = { ours: commitOf('.'), before: values.before && commitOf(values.before) };
  const figures = { machine: machine(), rounds: ROUNDS, seconds: SECONDS, commits, rows };
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(figures, undefined, 2)}\n`);
} finally {
  for (const server of servers) await server.stop();
}
