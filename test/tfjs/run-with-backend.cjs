// Runs models with a backend, as an engine host would: what is on standard input in, what it gave to standard output, and the least time of some runs.
const { text } = require('node:stream/consumers');
const { openTfjs } = require('../../dist/runtime/tfjs/tfjs-file.js');

const TIMED = 5;
const ARRAYS = { FP32: Float32Array, INT32: Int32Array, BOOL: Uint8Array };

async function run({ source, inputs }) {
  const model = await (await openTfjs(source)).load();
  const tensors = inputs.map(({ data, ...tensor }, at) => ({ ...tensor, name: model.signature.inputs[at].name, data: ARRAYS[tensor.datatype].from(data, Number) })); // prettier-ignore
  const once = () => model.run(tensors, model.signature.outputs.map(({ name }) => name)); // prettier-ignore
  const outputs = await once();
  let ms = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < TIMED; turn++) {
    const startedAt = performance.now();
    await once();
    ms = Math.min(ms, performance.now() - startedAt);
  }
  await model.release();
  return { backend: model.backend, ms, outputs: outputs.map(({ data, ...tensor }) => ({ ...tensor, data: [...data].map(String) })) };
}

void (async () => {
  const answers = [];
  for (const each of JSON.parse(await text(process.stdin))) answers.push(await run(each).catch((error) => ({ error: error.message })));
  process.stdout.write(JSON.stringify(answers));
})();
