import { unboundedReason } from './bounded-operators';
import { Constants } from './constants';
import type { FunctionProto } from './function-proto';
import { Body } from './local-functions';
import { type NodeProto, readNode } from './node-proto';
import { OnnxRefused } from './onnx-refused';
import { Fields } from './protobuf';
import { quoted } from './refusal';
import { readSparseTensor } from './sparse-tensor-proto';
import { readTensor } from './tensor-proto';
import { type DeclaredValue, MAX_DEPTH, nameOf, readType, readValueInfo } from './value-info';

/** Of a whole file; values are those that graphs declare, and those that nodes name as inputs and outputs. */
const LIMITS = { graphs: 10_000, functions: 10_000, nodes: 100_000, tensors: 100_000, attributes: 1_000_000, values: 1_000_000 } as const;

/** What a GraphProto of onnx.proto takes and gives; its initializers are the values that it has of its own. */
export interface GraphFace {
  readonly inputs: readonly DeclaredValue[];
  readonly outputs: readonly DeclaredValue[];
  readonly initializers: ReadonlySet<string>;
}

/** Goes through graphs and all that lies in them, and gathers what is found on the way. Each method throws OnnxRefused, NotProtobuf. */
export class GraphWalk {
  readonly operators = new Set<string>();
  readonly unbounded = new Set<string>();
  readonly counts = { graphs: 0, functions: 0, nodes: 0, tensors: 0, attributes: 0, values: 0 };
  /** that all tensors of the file take in memory */
  bytes = 0;

  /** Walks through a GraphProto. @param depth how many graphs it lies in, itself with them */
  graph(source: Uint8Array, body: Body, depth = 1): GraphFace {
    if (depth > MAX_DEPTH) throw new OnnxRefused(`graphs lie more than ${MAX_DEPTH} deep in one another: flatten them`);
    this.count('graphs');
    const fields = new Fields(source);
    const nodes: Uint8Array[] = [];
    const declared: Record<11 | 12, DeclaredValue[]> = { 11: [], 12: [] };
    const initializers = new Map<string, Uint8Array | undefined>();
    while (fields.next()) {
      const { number } = fields;
      if (number === 1) {
        this.count('nodes');
        nodes.push(fields.bytes);
      } else if (number === 5) initializers.set(this.tensor(fields.bytes, initializer), fields.bytes);
      else if (number === 11 || number === 12) declared[number].push(this.value(fields.bytes));
      else if (number === 13) this.value(fields.bytes);
      else if (number === 15) initializers.set(this.sparse(fields.bytes, initializer), undefined);
    }
    this.run(nodes, new Constants(initializers), body, depth);
    return { inputs: declared[11], outputs: declared[12], initializers: new Set(initializers.keys()) };
  }

  /** Walks through a local function. @returns its body */
  function({ operator, title, nodes, defaults }: FunctionProto): Body {
    this.count('functions');
    this.count('nodes', nodes.length);
    const body = new Body(title);
    for (const one of defaults) this.attribute(one, { name: '', operator, inputs: [], outputs: [], attributes: [] }, body, 1);
    this.run(nodes, new Constants(new Map()), body, 1);
    return body;
  }

  private run(sources: readonly Uint8Array[], constants: Constants, body: Body, depth: number): void {
    const nodes = sources.map((source) => this.node(source));
    for (const node of nodes) constants.addOutputs(node);
    for (const node of nodes) {
      body.add(node.operator);
      this.operators.add(node.operator.title);
      for (const attribute of node.attributes) this.attribute(attribute, node, body, depth);
      const reason = unboundedReason(node.operator, constants.of(node));
      if (reason !== undefined) this.unbounded.add(reason);
    }
  }

  private node(source: Uint8Array): NodeProto {
    const node = readNode(source);
    this.count('values', node.inputs.length + node.outputs.length);
    this.count('attributes', node.attributes.length);
    return node;
  }

  private attribute(source: Uint8Array, node: NodeProto, body: Body, depth: number): void {
    const fields = new Fields(source);
    let name = '';
    const place = (): string => `the attribute ${quoted(name)} of ${titleOf(node)}`;
    while (fields.next()) {
      if (fields.number === 1) name = nameOf(fields);
      else if (fields.number === 5) this.tensor(fields.only, place);
      else if (fields.number === 6) this.graph(fields.only, body, depth + 1);
      else if (fields.number === 10) this.tensor(fields.bytes, place);
      else if (fields.number === 11) this.graph(fields.bytes, body, depth + 1);
      else if (fields.number === 14) readType(fields.only);
      else if (fields.number === 15) this.type(fields.bytes);
      else if (fields.number === 22) this.sparse(fields.only, place);
      else if (fields.number === 23) this.sparse(fields.bytes, place);
    }
  }

  private tensor(source: Uint8Array, place: (name: string) => string): string {
    this.count('tensors');
    const { name, bytes } = readTensor(source, place);
    this.bytes += bytes;
    return name;
  }

  private sparse(source: Uint8Array, place: (name: string) => string): string {
    this.count('tensors', 2);
    const { name, bytes } = readSparseTensor(source, (own) => `the sparse tensor of ${place(own)}`);
    this.bytes += bytes;
    return name;
  }

  private value(source: Uint8Array): DeclaredValue {
    this.count('values');
    return readValueInfo(source);
  }

  private type(source: Uint8Array): void {
    this.count('values');
    readType(source);
  }

  private count(what: keyof typeof LIMITS, by = 1): void {
    this.counts[what] += by;
    if (this.counts[what] > LIMITS[what]) throw new OnnxRefused(`it has more than ${LIMITS[what]} ${what}: make the model smaller`);
  }
}

const initializer = (name: string): string => `the initializer ${quoted(name)}`;

function titleOf({ name, operator, outputs }: NodeProto): string {
  return `the node ${quoted(name || (outputs[0] ?? ''))} (${operator.title.slice(0, 100)})`;
}
