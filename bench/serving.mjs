// How fast, how dear and how large our server is, beside the least that could do the same, and beside rivals. Each figure with its bar.
// usage: npm run bench:serving -- [--rivals] [--rounds N] [--seconds N] [--only PART,…] [--json FILE]
import { runBench } from './serving/command.mjs';
import { BARS, VALID } from './serving/figures.mjs';
import { measureMemory } from './serving/memory.mjs';
import { measureRates } from './serving/rates.mjs';
import * as text from './serving/text.mjs';
import { measureWitnesses } from './serving/witnesses.mjs';

/** In this order: memory wants this process small, and the engine, which `models` brings into it, not there. */
const PARTS = {
  memory: measureMemory,
  rates: measureRates,
  witnesses: measureWitnesses,
  models: async (context) => (await import('./serving/models.mjs')).measureModels(context),
};

await runBench({ script: 'bench:serving', parts: PARTS, rivals: 'FastAPI, Triton and MLServer', text, bars: [VALID, ...BARS] });
