import { otherFormatOf } from './file-formats';
import { readFunction } from './function-proto';
import { type GraphFace, GraphWalk } from './graph-walk';
import { Body, checkCalls } from './local-functions';
import { OnnxRefused } from './onnx-refused';
import { DEFAULT_DOMAIN } from './operator';
import { Fields } from './protobuf';
import { asOnnx, quoted } from './refusal';
import { type DeclaredValue, nameOf, type ValueInfo } from './value-info';

const MAX_FACES = 1000;
const MAX_OPSETS = 1000;
/** From here on loading alone takes a while. */
const MANY_BYTES = 32 * 2 ** 20;
/** Elements of a row; with more, what a run takes is not small whatever it does. */
const MANY_ELEMENTS = 1e7;

/** What is known of an ONNX file (ModelProto of onnx.proto) without an engine. */
export interface OnnxFacts {
  readonly irVersion: number;
  /** version of each operator set, by its domain; '' is ONNX's own */
  readonly opsets: Readonly<Record<string, number>>;
  /** name and version of what wrote the file; '' where it does not say */
  readonly producer: string;
  /** in all graphs and functions */
  readonly nodes: number;
  /** each once, sorted: 'Add', 'ai.onnx.ml:Scaler' */
  readonly operators: readonly string[];
  /** that all tensors of the file take in memory: initializers, and those in attributes */
  readonly initializerBytes: number;
  /** what must be given to a run: inputs that have an initializer are none */
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** why a run may take far more than its inputs: clauses, each once; empty where no operator is known to make much of little */
  readonly unbounded: readonly string[];
}

/**
 * Goes through an ONNX file before an engine sees a byte of it. It looks at lengths, names and numbers, and at no weights: the time
 * depends on the number of nodes and tensors, not on the size of the file.
 * @throws OnnxRefused where the file is none, points outside itself, contradicts itself, is beyond the limits, or cannot be served
 */
export function walkOnnx(bytes: Uint8Array): OnnxFacts {
  if (bytes.length === 0) throw new OnnxRefused('the file is empty');
  const other = otherFormatOf(bytes);
  if (other !== undefined) throw new OnnxRefused(`it is not an ONNX file, it is ${other}`);
  return asOnnx(() => walkModel(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length))); // parts of a Buffer are slow to make
}

function walkModel(bytes: Uint8Array): OnnxFacts {
  const fields = new Fields(bytes);
  const walk = new GraphWalk();
  const graph = new Body('the graph');
  const training = new Body('the training part');
  const functions = new Map<string, Body>();
  const opsets = new Map<string, number>();
  let face: GraphFace | undefined;
  let [irVersion, producer, producerVersion] = [0, '', ''];
  while (fields.next()) {
    if (fields.number === 1) irVersion = Number(fields.int64);
    else if (fields.number === 2) producer = nameOf(fields);
    else if (fields.number === 3) producerVersion = nameOf(fields);
    else if (fields.number === 7) face = walk.graph(fields.only, graph);
    else if (fields.number === 8) addOpset(fields.bytes, opsets);
    else if (fields.number === 20) walkTraining(fields.bytes, walk, training);
    else if (fields.number === 25) addFunction(fields.bytes, functions, walk);
  }
  if (face === undefined) throw new OnnxRefused('it is not an ONNX file, or one without a graph');
  checkCalls([graph, training], functions);
  const { inputs, outputs } = facesOf(face);
  const unbounded = [...reasonsOf(inputs, walk.bytes, functions.size), ...walk.unbounded];
  return {
    irVersion,
    opsets: Object.fromEntries(opsets),
    producer: `${producer} ${producerVersion}`.trim(),
    nodes: walk.counts.nodes,
    operators: [...walk.operators].sort(),
    initializerBytes: walk.bytes,
    inputs,
    outputs,
    unbounded,
  };
}

/** OperatorSetIdProto: domain 1, version 2. */
function addOpset(source: Uint8Array, opsets: Map<string, number>): void {
  const fields = new Fields(source);
  let [domain, version] = ['', 0];
  while (fields.next()) {
    if (fields.number === 1) domain = nameOf(fields);
    else if (fields.number === 2) version = Number(fields.int64);
  }
  opsets.set(domain === 'ai.onnx' ? DEFAULT_DOMAIN : domain, version);
  if (opsets.size > MAX_OPSETS)
    throw new OnnxRefused(`it imports more than ${MAX_OPSETS} operator sets: leave out those that it does not use`);
}

/** TrainingInfoProto: two graphs, 1 and 2. The engine does not run them, but reads them. */
function walkTraining(source: Uint8Array, walk: GraphWalk, body: Body): void {
  const fields = new Fields(source);
  while (fields.next()) if (fields.number === 1 || fields.number === 2) walk.graph(fields.only, body);
}

function addFunction(source: Uint8Array, functions: Map<string, Body>, walk: GraphWalk): void {
  const own = readFunction(source);
  if (functions.has(own.operator.key)) throw new OnnxRefused(`${own.title} is there twice: keep one of them`);
  functions.set(own.operator.key, walk.function(own));
}

/** @throws OnnxRefused unless there are outputs, not too many of either, and all of them tensors */
function facesOf({ inputs, outputs, initializers }: GraphFace): Pick<OnnxFacts, 'inputs' | 'outputs'> {
  const given = inputs.filter(({ name }) => !initializers.has(name));
  if (outputs.length === 0) throw new OnnxRefused('the graph has no outputs: declare what it is to give');
  if (given.length + outputs.length > MAX_FACES) {
    throw new OnnxRefused(`the graph has more than ${MAX_FACES} inputs and outputs: put what belongs together in one tensor`);
  }
  const plain =
    (what: string) =>
    ({ kind, ...value }: DeclaredValue): ValueInfo => {
      if (kind === 'tensor') return value;
      const title = `the ${what} ${quoted(value.name)} is ${kind === 'opaque value' || kind === 'optional value' ? 'an' : 'a'} ${kind}`;
      throw new OnnxRefused(`${title}, and only tensors are served: ${HOW_TO_EXPORT}`);
    };
  return { inputs: given.map(plain('input')), outputs: outputs.map(plain('output')) };
}

const HOW_TO_EXPORT =
  'export without it (scikit-learn: options={"zipmap": False}; a sequence: stack or concatenate it to one tensor in the model)';

function* reasonsOf(inputs: readonly ValueInfo[], bytes: number, functions: number): Generator<string> {
  if (functions > 0) yield 'it has local functions';
  if (bytes >= MANY_BYTES) yield `it has ${Math.round(bytes / 2 ** 20)} MB of weights`;
  for (const { name, dims } of inputs) {
    if (dims === undefined) yield `the input ${quoted(name)} has no shape`;
    for (const [at, dim] of (dims ?? []).entries()) {
      if (at > 0 && typeof dim !== 'number') yield `the dimension ${at} of the input ${quoted(name)} is free`;
    }
    const row = (dims ?? []).reduce<number>((product, dim) => (typeof dim === 'number' ? product * dim : product), 1);
    if (row > MANY_ELEMENTS) yield `a row of the input ${quoted(name)} has ${row} elements`;
  }
}
