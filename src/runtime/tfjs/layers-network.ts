import { io, type NamedTensorMap, type Tensor as TfjsTensor } from '@tensorflow/tfjs-core';
import { type LayersModel, type LayerVariable, models } from '@tensorflow/tfjs-layers';
import type { TensorSpec } from '../tensor';
import { quoted } from './json-values';
import type { ModelJson } from './model-json';
import type { Network } from './network';
import { datatypeOf } from './tfjs-tensors';
import { TfjsRefused } from './tfjs-refused';
import { elementsOfWeight } from './weights-manifest';
import { withinBudget } from './weight-budget';

/** Of one row of what a layer gives: a gigabyte. */
const MAX_ELEMENTS = 2 ** 28;

/** @throws TfjsRefused, and what the library throws; nothing of it stays in memory then */
export async function layersNetwork({ topology, groups }: ModelJson, weights: readonly ArrayBuffer[]): Promise<Network> {
  const specs = groups.flatMap((group) => group.weights);
  const elements = specs.reduce((sum, spec) => sum + elementsOfWeight(spec), 0);
  const model = await withinBudget(elements, () => models.modelFromJSON(topology as never));
  try {
    refuseLargeLayers(model);
    const tensors = io.decodeWeights([...weights], specs as never);
    try {
      fill(model, tensors);
    } finally {
      for (const tensor of Object.values(tensors)) tensor.dispose();
    }
  } catch (error) {
    model.dispose();
    throw error;
  }
  return new LayersNetwork(model);
}

class LayersNetwork implements Network {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];

  constructor(private readonly model: LayersModel) {
    this.inputs = specsOf(model.inputs);
    this.outputs = specsOf(model.outputs);
  }

  run(inputs: ReadonlyMap<string, TfjsTensor>, wanted: readonly string[]): readonly TfjsTensor[] {
    const given = this.inputs.map(({ name }) => inputs.get(name) as TfjsTensor);
    const answer = [this.model.predictOnBatch(given)].flat();
    return wanted.map((name) => answer[this.outputs.findIndex((output) => output.name === name)] as TfjsTensor);
  }

  dispose(): void {
    this.model.dispose();
  }
}

/** Each by the name of its layer; one that is called twice may give two. */
function specsOf(symbols: LayersModel['inputs']): readonly TensorSpec[] {
  const count = new Map<string, number>();
  return symbols.map(({ sourceLayer: { name }, dtype, shape }) => {
    const times = count.get(name) ?? 0;
    count.set(name, times + 1);
    const own = times === 0 ? name : `${name}:${times}`;
    return { name: own, datatype: datatypeOf(dtype, own), shape: shape.map((dimension) => dimension ?? -1) };
  });
}

function refuseLargeLayers(model: LayersModel): void {
  for (const { name, outputShape } of model.layers) {
    const shapes = (Array.isArray(outputShape[0]) ? outputShape : [outputShape]) as readonly (readonly (number | null)[])[];
    for (const shape of shapes) {
      const elements = shape.reduce<number>((product, dimension) => product * (dimension ?? 1), 1);
      if (!(elements <= MAX_ELEMENTS))
        throw new TfjsRefused(`the layer ${quoted(name)} gives [${shape.join(', ')}], more than ${MAX_ELEMENTS} numbers a row`);
    }
  }
}

/** Gives every weight of the layers its values. @throws TfjsRefused where one is missing, unknown, or of another shape */
function fill(model: LayersModel, tensors: NamedTensorMap): void {
  const open = new Map<string, LayerVariable>();
  for (const layer of model.layers) for (const weight of layer.weights) open.set(weight.originalName, weight);
  for (const [name, tensor] of Object.entries(tensors)) {
    const known = spellingsOf(name).find((each) => open.has(each));
    const weight = known === undefined ? undefined : open.get(known);
    if (known === undefined || weight === undefined) throw new TfjsRefused(`the weight ${quoted(name)} is that of no layer`);
    if (String(weight.shape) !== String(tensor.shape)) {
      throw new TfjsRefused(`the weight ${quoted(name)} has the shape [${tensor.shape.join(', ')}], and its layer needs [${weight.shape.join(', ')}]`); // prettier-ignore
    }
    weight.write(tensor);
    open.delete(known);
  }
  const [missing] = open.keys();
  if (missing !== undefined) throw new TfjsRefused(`the layers need a weight ${quoted(missing)}, which weightsManifest does not have`);
}

/** `layer/kernel`; TensorFlow puts the name of a cell before the last part, Keras 3 that of the model before the first. */
function spellingsOf(name: string): readonly string[] {
  const plain = [name.split('/'), name.split('/').slice(1)];
  return plain.flatMap((parts) => [parts.join('/'), [...parts.slice(0, -2), ...parts.slice(-1)].join('/')]);
}
