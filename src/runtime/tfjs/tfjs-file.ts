import { partsOf, readChecked } from '../checked-file';
import type { EngineModel, OpenedModel } from '../engine-model';
import { zeroTensor } from '../measure/sample-tensor';
import type { ModelPart, ModelSource } from '../model-runtime.port';
import { graphNetwork } from './graph-network';
import { layersNetwork } from './layers-network';
import { type ModelJson, readModelJson } from './model-json';
import { type Backend, hasNode, useBackend } from './tfjs-engine';
import { TfjsError } from './tfjs-error';
import { TfjsModel } from './tfjs-model';
import { TfjsRefused } from './tfjs-refused';
import { memoryOf, refuseWrongSize } from './weights-manifest';

const BACKENDS: readonly Backend[] = ['wasm', 'tfjs-node', 'cpu'];
/** How often a model is run to see which backend is the faster one. */
const TRIES = 5;

/** Walks through the files of a TensorFlow.js model, before the library sees a byte of them. @throws EngineError, Damaged */
export async function openTfjs(source: ModelSource): Promise<OpenedModel> {
  const parts = partsOf(source);
  const model = readModelJson(await readChecked(parts[0] as ModelPart), parts);
  const weights: ArrayBuffer[] = [];
  for (const group of model.groups) {
    const shards: Buffer[] = [];
    for (const file of group.files) shards.push(await readChecked(file));
    refuseWrongSize(group, shards);
    weights.push(...shards.map(bufferOf));
  }
  const specs = model.groups.flatMap((group) => group.weights);
  const initializerBytes = specs.reduce((sum, spec) => sum + memoryOf(spec), 0);
  return {
    report: { engine: 'tfjs', unbounded: ['TensorFlow.js runs it'], initializerBytes, options: model.options },
    random: model.random,
    startEngine,
    load: () =>
      loadBest(
        model,
        weights,
        BACKENDS.find((each) => each === source.backend && !(each === 'wasm' && model.wasmIsWrong)),
      ),
  };
}

/** The optional library as well: its 230 MB are no model's. */
async function startEngine(): Promise<void> {
  await useBackend('wasm');
  hasNode();
}

/** @param known what was the best way on this machine before */
async function loadBest(model: ModelJson, weights: readonly ArrayBuffer[], known: Backend | undefined): Promise<EngineModel> {
  const network = model.format === 'layers-model' ? layersNetwork : graphNetwork;
  const load = (backend: Backend): Promise<TfjsModel> => TfjsModel.loadWarm(backend, () => network(model, weights));
  const found = known === undefined ? undefined : await load(known).catch(() => undefined);
  if (found !== undefined) return found;
  const first = model.wasmIsWrong ? Promise.reject(new TfjsError('WebAssembly would compute it wrong')) : load('wasm');
  const own = await first.catch((error: unknown) => insteadOf(error, load));
  const native = own.backend === 'wasm' && hasNode() ? await load('tfjs-node').catch(() => undefined) : undefined;
  return native === undefined ? own : faster(own, native);
}

/** Some operations are there for others than WebAssembly only. @throws the first error where nothing else can run the model either */
async function insteadOf(cause: unknown, load: (backend: Backend) => Promise<TfjsModel>): Promise<TfjsModel> {
  if (cause instanceof TfjsRefused) throw cause;
  const others: readonly Backend[] = hasNode() ? ['tfjs-node', 'cpu'] : ['cpu'];
  for (const backend of others) {
    const model = await loaded(backend, load);
    if (model !== undefined) return model;
  }
  throw cause;
}

function loaded(backend: Backend, load: (backend: Backend) => Promise<TfjsModel>): Promise<TfjsModel | undefined> {
  return load(backend).catch(() => undefined);
}

/** The slower one is released. */
async function faster(some: TfjsModel, other: TfjsModel): Promise<TfjsModel> {
  const [a, b] = [await leastMs(some), await leastMs(other)];
  const [best, rest] = b < a ? [other, some] : [some, other];
  await rest.release();
  return best;
}

async function leastMs(model: TfjsModel): Promise<number> {
  const { inputs, outputs } = model.signature;
  const [tensors, names] = [inputs.map((spec) => zeroTensor(spec)), outputs.map(({ name }) => name)];
  let least = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < TRIES; turn++) {
    const startedAt = performance.now();
    await model.run(tensors, names).catch(() => []);
    least = Math.min(least, performance.now() - startedAt);
  }
  return least;
}

/** The library takes whole buffers; a small file may be part of a larger one. */
function bufferOf({ buffer, byteOffset, length }: Buffer): ArrayBuffer {
  const whole = byteOffset === 0 && length === buffer.byteLength;
  return (whole ? buffer : buffer.slice(byteOffset, byteOffset + length)) as ArrayBuffer;
}
