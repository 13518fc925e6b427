import { parseJson } from '../../wire/strict-json';
import { MalformedJson } from '../../wire/wire.errors';
import type { ImportReport, ModelPart } from '../model-runtime.port';
import { walkGraph } from './graph-walk';
import { isObject, type JsonObject, objectAt, quoted } from './json-values';
import { asKeras2 } from './keras3';
import { walkLayers } from './layers-walk';
import { TfjsRefused } from './tfjs-refused';
import { readWeightsManifest, type WeightGroup } from './weights-manifest';

const MAX_BYTES = 64 * 2 ** 20;
const RULES = { maxDepth: 64, maxKeys: 100_000 };

/** A `model.json`, walked through. */
export interface ModelJson {
  readonly format: 'layers-model' | 'graph-model';
  /** Of layers: in the words of Keras 2. */
  readonly topology: JsonObject;
  readonly groups: readonly WeightGroup[];
  /** Whether the model draws by chance. */
  readonly random: boolean;
  /** Whether WebAssembly would compute it wrong. */
  readonly wasmIsWrong: boolean;
  /** As `ImportReport.options`. */
  readonly options: ImportReport['options'];
  /** The whole file; of graphs also the signature and what fills their tables. */
  readonly all: JsonObject;
}

/**
 * Goes through the file that a TensorFlow.js model begins with, before the library sees a byte of it.
 * @param parts the uploaded files, this one first @throws TfjsRefused naming the file, the layer, the node or the weight
 */
export function readModelJson(bytes: Uint8Array, parts: readonly ModelPart[]): ModelJson {
  const all = objectAt(parse(bytes), 'the model file');
  const groups = readWeightsManifest(all['weightsManifest'], parts);
  const whole = objectAt(all['modelTopology'], 'modelTopology of the model file');
  const topology = isObject(whole['model_config']) ? whole['model_config'] : whole;
  const format = formatOf(all['format'], topology);
  if (format === 'layers-model') {
    const layers = asKeras2(topology);
    const wasmIsWrong = walkLayers(layers);
    const options = layers === topology ? {} : { keras: 'rewritten from 3 to 2' };
    return { format, topology: layers, groups, random: false, wasmIsWrong, options, all };
  }
  const weights = new Set(groups.flatMap((group) => group.weights.map(({ name }) => name)));
  const { random, wasmIsWrong } = walkGraph(topology, weights);
  const filler = all['modelInitializer'];
  if (isObject(filler)) walkGraph(filler, weights);
  return { format, topology, groups, random, wasmIsWrong, options: {}, all };
}

function parse(bytes: Uint8Array): unknown {
  if (bytes.length > MAX_BYTES) throw new TfjsRefused(`the model file has ${bytes.length} bytes; at most ${MAX_BYTES} are read`);
  try {
    return parseJson(bytes, RULES);
  } catch (cause) {
    if (!(cause instanceof MalformedJson)) throw cause;
    throw new TfjsRefused(`the model file is no JSON that can be read: ${cause.details.actual}`, { cause });
  }
}

/** Old files do not say what they are. */
function formatOf(format: unknown, topology: JsonObject): ModelJson['format'] {
  const guessed = Array.isArray(topology['node']) ? 'graph-model' : 'layers-model';
  const said = format ?? guessed;
  if (said === 'layers-model' || said === 'graph-model') return said;
  throw new TfjsRefused(`the model file has the format ${quoted(said)}; served are layers-model and graph-model`);
}
