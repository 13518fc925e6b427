import { type GraphModel, loadGraphModel } from '@tensorflow/tfjs-converter';
import { type DataType, io, type Tensor as TfjsTensor } from '@tensorflow/tfjs-core';
import type { TensorSpec } from '../tensor';
import { isObject, type JsonObject, quoted } from './json-values';
import type { ModelJson } from './model-json';
import type { Network } from './network';
import { datatypeOf } from './tfjs-tensors';
import { TfjsRefused } from './tfjs-refused';

/** How the library says that a graph has loops, branches, or operators that give as much as they find. */
const NEEDS_ASYNC = /executeAsync/;
/** What else a graph model needs beside its graph. */
const EXTRAS = ['signature', 'userDefinedMetadata', 'modelInitializer', 'initializerSignature'];

/** An input or an output: its own name, and that of the node behind it. */
interface Port {
  readonly spec: TensorSpec;
  readonly node: string;
}

/** @throws TfjsRefused, and what the library throws */
export async function graphNetwork({ topology, groups, all }: ModelJson, weights: readonly ArrayBuffer[]): Promise<Network> {
  const weightSpecs = groups.flatMap((group) => group.weights);
  const extras = Object.fromEntries(EXTRAS.filter((key) => isObject(all[key])).map((key) => [key, all[key]]));
  const modelTopology = { versions: {}, ...topology }; // it is asked who wrote it
  const artifacts = { modelTopology, weightSpecs, weightData: [...weights], format: 'graph-model', ...extras };
  const model = await loadGraphModel(io.fromMemory(artifacts));
  try {
    return new GraphNetwork(model, signatureOf(all));
  } catch (error) {
    model.dispose();
    throw error;
  }
}

class GraphNetwork implements Network {
  private readonly from: readonly Port[];
  private readonly to: ReadonlyMap<string, Port>;
  private asynchronous = false;

  constructor(
    private readonly model: GraphModel,
    signature: JsonObject,
  ) {
    this.from = portsOf(model.inputs, signature['inputs']);
    const outputs = portsOf(model.outputs, signature['outputs']);
    this.to = new Map(outputs.map((port) => [port.spec.name, port]));
    if (outputs.length === 0) throw new TfjsRefused('the graph has no outputs');
  }

  get inputs(): readonly TensorSpec[] {
    return this.from.map(({ spec }) => spec);
  }

  get outputs(): readonly TensorSpec[] {
    return [...this.to.values()].map(({ spec }) => spec);
  }

  async run(inputs: ReadonlyMap<string, TfjsTensor>, wanted: readonly string[]): Promise<readonly TfjsTensor[]> {
    const feeds = Object.fromEntries(this.from.map(({ spec, node }) => [node, inputs.get(spec.name) as TfjsTensor]));
    const nodes = wanted.map((name) => (this.to.get(name) as Port).node);
    const answer = this.asynchronous ? await this.model.executeAsync(feeds, nodes) : await this.first(feeds, nodes);
    return Array.isArray(answer) ? answer : [answer];
  }

  dispose(): void {
    this.model.dispose();
  }

  /** Whether a graph can be run at once only the library knows, and says before it runs any of it. */
  private first(feeds: Record<string, TfjsTensor>, nodes: string[]): TfjsTensor | TfjsTensor[] | Promise<TfjsTensor | TfjsTensor[]> {
    try {
      return this.model.execute(feeds, nodes);
    } catch (error) {
      if (!(error instanceof Error && NEEDS_ASYNC.test(error.message))) throw error;
      this.asynchronous = true;
      return this.model.executeAsync(feeds, nodes);
    }
  }
}

/** Converters put it beside the topology, older ones into the metadata. */
function signatureOf({ signature, userDefinedMetadata: metadata }: JsonObject): JsonObject {
  if (isObject(signature)) return signature;
  return isObject(metadata) && isObject(metadata['signature']) ? metadata['signature'] : {};
}

/** Where the signature names a tensor, that is its name; else that of its node. */
function portsOf(nodes: GraphModel['inputs'], entries: unknown): readonly Port[] {
  const named = Object.entries(isObject(entries) ? entries : {}).flatMap(([key, entry]) =>
    isObject(entry) ? [[key, entry] as const] : [],
  );
  return nodes.map(({ name, dtype, shape }) => {
    const [key, entry = {}] = named.find(([, each]) => String(each['name']).split(':')[0] === name) ?? [name];
    const type = dtype ?? DTYPES[String(entry['dtype'])] ?? 'float32';
    const dimensions = shape ?? shapeOf(entry['tensorShape']);
    if (dimensions === undefined) return { spec: { name: key, datatype: datatypeOf(type, key), shape: [-1] }, node: nodeOf(entry, name) };
    return {
      spec: { name: key, datatype: datatypeOf(type, key), shape: dimensions.map((each) => (each >= 0 ? each : -1)) },
      node: nodeOf(entry, name),
    };
  });
}

/** A signature may mean another than the first output of a node (`split:1`). */
function nodeOf({ name }: JsonObject, node: string): string {
  return typeof name === 'string' && /:[1-9]\d*$/.test(name) ? name : node;
}

/** Datatypes of TensorFlow that the library computes with another one. */
const DTYPES: Readonly<Record<string, DataType>> = {
  DT_FLOAT: 'float32',
  DT_HALF: 'float32',
  DT_DOUBLE: 'float32',
  DT_INT32: 'int32',
  DT_INT64: 'int32',
  DT_INT16: 'int32',
  DT_INT8: 'int32',
  DT_UINT8: 'int32',
  DT_BOOL: 'bool',
  DT_STRING: 'string',
};

/** TensorShapeProto as JSON; undefined where the rank is unknown. */
function shapeOf(value: unknown): readonly number[] | undefined {
  if (!isObject(value) || value['unknownRank'] === true) return undefined;
  const dims = Array.isArray(value['dim']) ? (value['dim'] as readonly unknown[]) : [];
  const sizes = dims.map((each) => Number(isObject(each) ? (each['size'] ?? 0) : Number.NaN));
  const unusable = sizes.find((size) => !Number.isSafeInteger(size));
  if (unusable !== undefined) throw new TfjsRefused(`a shape of the signature is ${quoted(value)}`);
  return sizes;
}
