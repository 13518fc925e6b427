import { leftInCircle } from './circle';
import { isObject, type JsonObject, listAt, nameAt, objectAt, quoted } from './json-values';
import { ACTIVATIONS, BROKEN_LAYERS, CONTAINERS, LAYERS, LAYERS_WRONG_IN_WASM } from './layer-classes';
import { TfjsRefused } from './tfjs-refused';

const MAX_LAYERS = 10_000;
const MAX_DIMENSION = 2 ** 31 - 1;
/** Of one row of an input: a gigabyte. */
const MAX_ELEMENTS = 2 ** 28;

/** What a layer is made of so many of. */
const COUNTS = ['units', 'filters', 'input_dim', 'output_dim', 'n', 'depth_multiplier'];

/** What the two layers of a Bidirectional have in common. */
const MAKE_OF_RECURRENT = ['class_name', 'units', 'activation', 'recurrent_activation', 'use_bias', 'return_sequences', 'return_state'];

/** An edge of a graph of layers: node `at` of the layer, its how-manieth call. */
interface Call {
  readonly layer: string;
  readonly at: number;
}

/**
 * Goes through the topology of a LayersModel before the library builds anything of it: the library makes room for what the topology says, and
 * never ends over a circle.
 * @param topology as Keras writes it (`class_name`, snake case) @returns whether WebAssembly computes one of its layers wrong
 * @throws TfjsRefused naming the layer
 */
export function walkLayers(topology: JsonObject): boolean {
  const walk = new LayersWalk();
  walk.model(topology, 'the model');
  return walk.wasmIsWrong;
}

class LayersWalk {
  wasmIsWrong = false;
  private layers = 0;

  /** @param title of the model, in messages */
  model({ class_name: className, config }: JsonObject, title: string): void {
    if (typeof className !== 'string' || !CONTAINERS.has(className)) {
      throw new TfjsRefused(`${title} is of the class ${quoted(className)}; a model is Sequential or Functional`);
    }
    const own = isObject(config) ? config : {};
    const layers = listAt(Array.isArray(config) ? config : own['layers'], `the layers of ${title}`).map((layer) => objectAt(layer, `a layer of ${title}`)); // prettier-ignore
    if (layers.length === 0) throw new TfjsRefused(`${title} has no layers`);
    const names = layers.map((layer) => this.layer(layer));
    const seen = new Set<string>();
    const twice = names.find((name) => seen.size === seen.add(name).size);
    if (twice !== undefined) throw new TfjsRefused(`two layers of ${title} are called ${quoted(twice)}: rename one`);
    if (className !== 'Sequential') walkCalls(layers, own, title);
  }

  /** @returns its name */
  private layer(layer: JsonObject): string {
    if (++this.layers > MAX_LAYERS) throw new TfjsRefused(`there are more than ${MAX_LAYERS} layers`);
    const config = objectAt(layer['config'], 'the config of a layer');
    const name = nameAt(layer['name'] ?? config['name'], 'the name of a layer');
    const className = layer['class_name'];
    if (typeof className === 'string' && CONTAINERS.has(className)) this.model(layer, `the model ${quoted(name)}`);
    else this.plain(className, config, `the layer ${quoted(name)}`);
    return name;
  }

  private plain(className: unknown, config: JsonObject, title: string): void {
    if (className === 'Lambda') throw new TfjsRefused(`${title} is a Lambda: it holds code, which is never run; make it of layers`);
    if (typeof className !== 'string' || !LAYERS.has(className)) {
      throw new TfjsRefused(`${title} is of the class ${quoted(className)}, which TensorFlow.js does not have: leave it out before the export, or make it of others`); // prettier-ignore
    }
    if (BROKEN_LAYERS.has(className))
      throw new TfjsRefused(`${title} is of the class "${className}", which TensorFlow.js cannot run: do it before the call`);
    this.wasmIsWrong ||= LAYERS_WRONG_IN_WASM.has(className);
    if (config['stateful'] === true) throw new TfjsRefused(`${title} is stateful: it would carry one caller's data into the next call`);
    if (config['reset_after'] === true) {
      throw new TfjsRefused(`${title} has reset_after, which TensorFlow.js cannot compute: train it with reset_after=False`);
    }
    refuseOtherBackward(config, title);
    for (const key of ['activation', 'recurrent_activation']) refuseActivation(config[key], title);
    for (const key of COUNTS) refuseCount(config[key], key, title);
    refuseShape(config['batch_input_shape'], title);
    const within = [config['layer'], ...[config['cell'], config['cells']].flat()].filter((each) => each !== undefined && each !== null);
    for (const each of within) this.layer(objectAt(each, `what is within ${title}`));
  }
}

/** The library makes the layer for the way back of that for the way there. */
function refuseOtherBackward({ layer, backward_layer: backward }: JsonObject, title: string): void {
  if (backward === undefined || backward === null) return;
  const [one, other] = [layer, backward].map((each) => objectAt(each, `what is within ${title}`));
  const different = MAKE_OF_RECURRENT.find((key) => JSON.stringify(makeOf(one, key)) !== JSON.stringify(makeOf(other, key)));
  if (different !== undefined) {
    throw new TfjsRefused(`${title} has another ${different} on its way back, which TensorFlow.js would not see: make it of two layers`);
  }
}

function makeOf(layer: JsonObject | undefined, key: string): unknown {
  return key === 'class_name' ? layer?.[key] : (layer?.['config'] as JsonObject | undefined)?.[key];
}

function refuseActivation(activation: unknown, title: string): void {
  if (activation === undefined || activation === null) return;
  const name = isObject(activation) ? activation['class_name'] : activation;
  const known = typeof name === 'string' && (ACTIVATIONS.has(name) || ACTIVATIONS.has(snake(name)));
  if (!known) throw new TfjsRefused(`${title} has the activation ${quoted(name)}, which TensorFlow.js does not have`);
}

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function refuseCount(count: unknown, key: string, title: string): void {
  if (count === undefined || count === null) return;
  const usable = Number.isInteger(count) && (count as number) > 0 && (count as number) <= MAX_DIMENSION;
  if (!usable) throw new TfjsRefused(`${title} has ${key} ${quoted(count)}; it takes a whole number from 1 on`);
}

function refuseShape(shape: unknown, title: string): void {
  if (shape === undefined || shape === null) return;
  let elements = 1;
  for (const dimension of listAt(shape, `the input shape of ${title}`)) {
    if (dimension === null) continue;
    refuseCount(dimension, 'an input dimension', title);
    elements *= dimension as number;
  }
  if (elements > MAX_ELEMENTS)
    throw new TfjsRefused(`${title} takes an input of ${elements} numbers: more than ${MAX_ELEMENTS} are not served`);
}

/** Every call names layers that there are, and none waits for itself. */
function walkCalls(layers: readonly JsonObject[], config: JsonObject, title: string): void {
  const nodes = new Map<string, readonly Call[]>();
  for (const { name, class_name: className, inbound_nodes: inbound } of layers) {
    const calls = listAt(inbound, `inbound_nodes of the layer ${quoted(name)}`);
    // the first call of a model is that which made it
    const made = CONTAINERS.has(className as string) ? 1 : 0;
    if (calls.length === 0 || made === 1) nodes.set(keyOf({ layer: name as string, at: 0 }), []);
    for (const [at, call] of calls.entries()) nodes.set(keyOf({ layer: name as string, at: at + made }), callsIn(call, name as string));
  }
  for (const [key, from] of nodes) {
    const missing = from.find((call) => !nodes.has(keyOf(call)));
    if (missing !== undefined) throw new TfjsRefused(`the layer ${quoted(nameOf(key))} takes its input from ${quoted(missing.layer)}, which is no layer of ${title}`); // prettier-ignore
  }
  const circular = leftInCircle(new Map([...nodes].map(([key, from]) => [key, from.map(keyOf)])));
  if (circular !== undefined)
    throw new TfjsRefused(`the layer ${quoted(nameOf(circular))} waits for its own output: the graph has a circle`);
  for (const key of ['input_layers', 'output_layers']) {
    const ends = listAt(config[key], `${key} of ${title}`);
    if (ends.length === 0) throw new TfjsRefused(`${title} has no ${key}`);
    for (const call of endsIn(ends)) {
      if (!nodes.has(keyOf(call))) throw new TfjsRefused(`${quoted(call.layer)} is one of the ${key} of ${title}, and no layer of it`);
    }
  }
}

/** What one call of a layer takes: [name, node, tensor, arguments], once or several times. */
function callsIn(call: unknown, layer: string): readonly Call[] {
  const title = `inbound_nodes of the layer ${quoted(layer)}`;
  const list = listAt(call, title);
  return (typeof list[0] === 'string' ? [list] : list).map((each) => callOf(each, title));
}

function endsIn(ends: readonly unknown[]): readonly Call[] {
  return (typeof ends[0] === 'string' ? [ends] : ends).map((each) => callOf(each, 'input_layers or output_layers'));
}

function callOf(value: unknown, title: string): Call {
  const [layer, at = 0, tensor = 0] = listAt(value, title);
  if (typeof layer !== 'string' || !isIndex(at) || !isIndex(tensor)) throw new TfjsRefused(`${title} is not made of [layer, node, tensor]`);
  return { layer, at };
}

function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function keyOf({ layer, at }: Call): string {
  return `${at} ${layer}`;
}

function nameOf(key: string): string {
  return key.slice(key.indexOf(' ') + 1);
}
