// What our server takes when nobody calls it: the memory of its whole process tree, alone on its pages.
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { perceptron } from './networks.mjs';
import { askExample, EXAMPLES, publish, publishExample, startOurs } from './ours.mjs';
import { byTurns } from './rounds.mjs';

const [SETTLE_MS, FURTHER, FIRST_SEED] = [3000, 20, 100];
const ROW = JSON.stringify({ instances: [Array.from({ length: 10 }, (_, at) => at / 10)] });

/** A registry with the examples and some small models. @returns its folder and the models' names */
async function registryOf(name, folder, further) {
  const server = await startOurs({ name, folder });
  for (const example of EXAMPLES) await publishExample(server, example);
  const small = Array.from({ length: further }, (_, at) => `small-${at}`);
  for (const [at, model] of small.entries()) await publish(server, model, new Blob([perceptron(FIRST_SEED + at)]));
  await server.stop();
  return { models: join(folder, `${name}-models`), small };
}

async function askSmall({ origin }, model) {
  const headers = { 'Content-Type': 'application/json' };
  const response = await fetch(`${origin}/api/v1/predict/${model}`, { method: 'POST', headers, body: ROW });
  if (response.status !== 200) throw new Error(await response.text());
}

/** Started anew, as the uploads leave garbage and processes behind; each model was asked once, so it is loaded. */
async function idle({ name, folder, node, registry: { models, small } }) {
  const server = await startOurs({ name: `${name}-idle`, folder, models, node });
  try {
    for (const example of EXAMPLES) await askExample(server, example);
    for (const model of small) await askSmall(server, model);
    await sleep(SETTLE_MS);
    return { pssMb: server.pssMb, processes: server.tree.length };
  } finally {
    await server.stop();
  }
}

/** PSS halves what two processes share: the server runs a copy of node, whose pages are not those of this process. */
export async function measureMemory({ folder, rounds }) {
  const node = join(folder, 'node');
  copyFileSync(process.execPath, node);
  const [plain, further] = [await registryOf('examples', folder, 0), await registryOf('further', folder, FURTHER)];
  const samples = await byTurns(rounds, {
    examples: () => idle({ name: 'examples', folder, node, registry: plain }),
    further: () => idle({ name: 'further', folder, node, registry: further }),
  });
  return { furtherModels: FURTHER, ...samples };
}
