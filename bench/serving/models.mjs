// Other models and many rows: binary tensors against the engine alone in this process, and one row in JSON against the limit.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ort from 'onnxruntime-node';
import { answersOf, ask, compareAnswers } from './answers.mjs';
import { scriptOf } from './competitors.mjs';
import { NETWORKS } from './networks.mjs';
import { publish, startOurs } from './ours.mjs';
import { Program } from './program.mjs';
import { asJson, binaryBody, bulkRows, jsonBodies, writeRequests } from './requests.mjs';
import { byTurns, sample, warmUp } from './rounds.mjs';

const [BULK_CONNECTIONS, CONNECTIONS, COMPARED] = [8, 32, 50];
const LENGTH = 'inference-header-content-length';
const targetOf = (name) => `/v2/models/${name}/infer`;

/** The engine in this process, one thread, a run after another: what there is to be had without a server. */
async function engineAlone(network, batches) {
  const session = await ort.InferenceSession.create(network.bytes, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  const dims = [network.bulkRows, ...network.row];
  const run = async (batch) => (await session.run({ x: new ort.Tensor('float32', batch, dims) })).y.data;
  const rowsPerSecond = async (seconds) => {
    const startedAt = performance.now();
    let rows = 0;
    for (let at = 0; performance.now() < startedAt + seconds * 1000; at = (at + 1) % batches.length, rows += network.bulkRows)
      await run(batches[at]);
    return { rowsPerSecond: rows / ((performance.now() - startedAt) / 1000) };
  };
  return { run, rowsPerSecond };
}

/** The bytes behind the answer's JSON. */
async function binaryAnswer(server, name, request) {
  const response = await ask(server.origin, targetOf(name), request);
  const bytes = Buffer.from(await response.arrayBuffer());
  if (response.status !== 200) throw new Error(bytes.toString());
  return new Float32Array(new Uint8Array(bytes.subarray(Number(response.headers.get(LENGTH)))).buffer);
}

async function bulk(server, name, { folder, rounds, seconds }) {
  const network = NETWORKS[name];
  const batches = bulkRows(network);
  const engine = await engineAlone(network, batches);
  const bodies = batches.map((batch) => binaryBody(batch, network));
  const answers = [];
  for (const body of bodies) answers.push(await binaryAnswer(server, name, body));
  const wanted = [];
  for (const batch of batches) wanted.push(await engine.run(batch));
  compareAnswers(`${name}, binary,`, answers, wanted, { exact: false });
  const requests = writeRequests(join(folder, `${name}-bulk.requests`), targetOf(name), bodies);
  const ways = {
    ours: async () => {
      const seen = await sample(server, { requests, connections: BULK_CONNECTIONS, seconds });
      return { ...seen, rowsPerSecond: seen.perSecond * network.bulkRows };
    },
    engine: () => engine.rowsPerSecond(seconds),
  };
  await byTurns(1, ways); // warm
  return { rows: network.bulkRows, ...(await byTurns(rounds, ways)) };
}

async function oneRow(server, name, { folder, rounds, seconds }) {
  const bodies = jsonBodies(NETWORKS[name]);
  const model = join(folder, `${name}.onnx`);
  writeFileSync(model, NETWORKS[name].bytes);
  const limit = await Program.start({ command: scriptOf('limit.mjs', [model]), log: join(folder, `limit-${name}.log`) });
  await limit.ready((origin) => ask(origin, targetOf(name), asJson(bodies[0])));
  const compared = bodies.slice(0, COMPARED);
  const [answers, wanted] = [await answersOf(limit, targetOf(name), compared), await answersOf(server, targetOf(name), compared)];
  compareAnswers(`limit, ${name},`, answers, wanted, { exact: true });
  const requests = writeRequests(join(folder, `${name}.requests`), targetOf(name), bodies.map(asJson));
  const how = { requests, connections: CONNECTIONS, seconds };
  const ways = { ours: () => sample(server, how), limit: () => sample(limit, how) };
  for (const each of [server, limit]) await warmUp(each, how);
  const samples = await byTurns(rounds, ways);
  await limit.stop();
  return samples;
}

export async function measureModels(context) {
  const server = await startOurs({ name: 'models', folder: context.folder });
  const measured = {};
  for (const [name, { bytes, about }] of Object.entries(NETWORKS)) {
    await publish(server, name, new Blob([bytes]), { cache: { enabled: false } });
    measured[name] = { about, bulk: await bulk(server, name, context) };
    if (name !== 'perceptron') measured[name].oneRow = await oneRow(server, name, context); // which `rates` has
    console.log(`measured ${about}`);
  }
  return measured;
}
