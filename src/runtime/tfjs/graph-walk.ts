import { leftInCircle } from './circle';
import { BROKEN, CONTROL, FORESTS, OPERATORS, RANDOM, WRONG_IN_WASM } from './graph-operators';
import { isObject, type JsonObject, listAt, nameAt, objectAt, quoted } from './json-values';
import { TfjsRefused } from './tfjs-refused';

const MAX_NODES = 100_000;
const MAX_FUNCTIONS = 10_000;
/** Of one row of an input: a gigabyte. */
const MAX_ELEMENTS = 2 ** 28;
/** An edge may lead back to it from the end of a loop. */
const LOOP_START = 'Merge';

/** What is known of a graph without the library. */
export interface GraphFacts {
  readonly nodes: number;
  /** Whether it draws by chance. */
  readonly random: boolean;
  /** Whether WebAssembly computes one of its operators wrong. */
  readonly wasmIsWrong: boolean;
}

/**
 * Goes through the topology of a GraphModel (GraphDef as JSON) before the library sees it.
 * @param weights names of the weights that the manifest has: constants hold nothing themselves
 * @throws TfjsRefused naming the node
 */
export function walkGraph(topology: JsonObject, weights: ReadonlySet<string>): GraphFacts {
  const walk = new GraphWalk(weights);
  const nodes = listAt(topology['node'], 'the nodes of the graph');
  if (nodes.length === 0) throw new TfjsRefused('the graph has no nodes');
  walk.body(nodes, new Set(), 'the graph');
  const library = isObject(topology['library']) ? topology['library'] : {};
  const functions = listAt(library['function'], 'the functions of the graph').map((each) => objectAt(each, 'a function of the graph'));
  if (functions.length > MAX_FUNCTIONS) throw new TfjsRefused(`the graph has more than ${MAX_FUNCTIONS} functions`);
  const names = new Set(functions.map((each) => walk.function(each)));
  walk.refuseUnknownFunctions(names);
  return walk.facts;
}

class GraphWalk {
  private nodes = 0;
  private random = false;
  private wasmIsWrong = false;
  /** By name of the function, a node that calls it. */
  private readonly called = new Map<string, string>();

  constructor(private readonly weights: ReadonlySet<string>) {}

  get facts(): GraphFacts {
    return { nodes: this.nodes, random: this.random, wasmIsWrong: this.wasmIsWrong };
  }

  /** FunctionDef: its arguments may be taken like nodes. @returns its name */
  function(definition: JsonObject): string {
    const signature = objectAt(definition['signature'], 'the signature of a function');
    const name = nameAt(signature['name'], 'the name of a function');
    const title = `the function ${quoted(name)}`;
    const inputs = listAt(signature['inputArg'], `the arguments of ${title}`).map((each) => nameAt(objectAt(each, `an argument of ${title}`)['name'], `an argument of ${title}`)); // prettier-ignore
    this.body(listAt(definition['nodeDef'], `the nodes of ${title}`), new Set(inputs), title);
    return name;
  }

  /** @param given what may be taken beside its own nodes */
  body(list: readonly unknown[], given: ReadonlySet<string>, title: string): void {
    this.nodes += list.length;
    if (this.nodes > MAX_NODES) throw new TfjsRefused(`the graph has more than ${MAX_NODES} nodes`);
    const nodes = new Map<string, JsonObject>();
    for (const each of list) {
      const node = objectAt(each, `a node of ${title}`);
      const name = nameAt(node['name'], `the name of a node of ${title}`);
      if (nodes.has(name)) throw new TfjsRefused(`two nodes of ${title} are called ${quoted(name)}`);
      nodes.set(name, node);
    }
    const inputs = new Map([...nodes].map(([name, node]) => [name, this.node(name, node, title)]));
    for (const [name, from] of inputs) {
      const missing = from.find((each) => !nodes.has(each) && !given.has(each));
      if (missing !== undefined) throw new TfjsRefused(`the node ${quoted(name)} takes its input from ${quoted(missing)}, which is no node of ${title}`); // prettier-ignore
    }
    refuseCircle(nodes, inputs);
  }

  refuseUnknownFunctions(known: ReadonlySet<string>): void {
    const missing = [...this.called].find(([name]) => !known.has(name));
    if (missing !== undefined) throw new TfjsRefused(`the node ${quoted(missing[1])} calls the function ${quoted(missing[0])}, which the graph does not have`); // prettier-ignore
  }

  /** @returns the nodes that it takes its inputs from */
  private node(name: string, { op, input, attr }: JsonObject, of: string): readonly string[] {
    const title = `the node ${quoted(name)}`;
    if (typeof op === 'string' && FORESTS.has(op))
      throw new TfjsRefused(`${title} is a decision forest (${op}), which is not served here: export it to ONNX`);
    if (typeof op !== 'string' || !OPERATORS.has(op)) {
      throw new TfjsRefused(
        `${title} has the operator ${quoted(op)}, which TensorFlow.js does not have: leave it out before the conversion`,
      );
    }
    if (BROKEN.has(op))
      throw new TfjsRefused(
        `${title} has the operator "${op}", which TensorFlow.js computes wrong or not at all: export the model to ONNX`,
      );
    this.random ||= RANDOM.has(op);
    this.wasmIsWrong ||= WRONG_IN_WASM.has(op);
    const attributes = isObject(attr) ? attr : {};
    if (op === 'Const' && of === 'the graph' && !this.weights.has(name) && !isObject(attributes['value'])) {
      throw new TfjsRefused(`${title} is a constant of which weightsManifest has no weight`);
    }
    if (op === 'Placeholder') refuseShape(attributes['shape'], title);
    if (CONTROL.has(op)) for (const each of Object.values(attributes)) this.call(each, name);
    return listAt(input, `the inputs of ${title}`).map((each) => sourceOf(each, title));
  }

  private call(attribute: unknown, node: string): void {
    const called = isObject(attribute) ? attribute['func'] : undefined;
    if (isObject(called) && typeof called['name'] === 'string') this.called.set(called['name'], node);
  }
}

/** `name`, `name:1`, `^name`; in functions `name:output:0`. */
function sourceOf(input: unknown, title: string): string {
  const [name = ''] = typeof input === 'string' ? input.replace(/^\^/, '').split(':') : [];
  if (name === '') throw new TfjsRefused(`an input of ${title} is not the name of a node`);
  return name;
}

/** TensorShapeProto as JSON: sizes are texts, −1 is free. */
function refuseShape(attribute: unknown, title: string): void {
  const shape = isObject(attribute) && isObject(attribute['shape']) ? attribute['shape'] : {};
  let elements = 1;
  for (const each of listAt(shape['dim'], `the shape of ${title}`)) {
    const size = Number(isObject(each) ? (each['size'] ?? 0) : Number.NaN);
    if (!Number.isSafeInteger(size) || size < -1) throw new TfjsRefused(`the shape of ${title} is not made of whole numbers`);
    if (size > 0) elements *= size;
  }
  if (elements > MAX_ELEMENTS)
    throw new TfjsRefused(`${title} takes an input of ${elements} numbers: more than ${MAX_ELEMENTS} are not served`);
}

/** What leads back to the start of a loop is no circle. */
function refuseCircle(nodes: ReadonlyMap<string, JsonObject>, inputs: ReadonlyMap<string, readonly string[]>): void {
  const needs = [...inputs].map(([name, from]) => {
    const loops = nodes.get(name)?.['op'] === LOOP_START;
    return [name, from.filter((each) => nodes.has(each) && !(loops && nodes.get(each)?.['op'] === 'NextIteration'))] as const;
  });
  const circular = leftInCircle(new Map(needs));
  if (circular !== undefined) throw new TfjsRefused(`the node ${quoted(circular)} waits for its own output: the graph has a circle`);
}
