import { otherFormatOf } from './file-formats';
import { attributeName, type NodeProto, readNode } from './node-proto';
import { Fields } from './protobuf';
import { bytesField, varintField } from './protobuf-writer';
import { asOnnx } from './refusal';
import { type Dim, readValueInfo } from './value-info';

/** A model without its ZipMap. */
export interface WithoutZipMap {
  /** the very same object where nothing was cut */
  readonly bytes: Uint8Array;
  /** what the columns of `output` stand for, in order; a number beyond 2^53 as text */
  readonly labels?: readonly (string | number)[];
  /** that was a sequence of maps and is a FP32 tensor [rows, labels] now */
  readonly output?: string;
}

interface Cut {
  readonly output: string;
  readonly labels: readonly (string | number)[];
  readonly rows: Dim;
}

const MAX_LABELS = 100_000;
const IDENTITY_OPSET = 13;
const text = (field: number, value: string): readonly Uint8Array[] => bytesField(field, Buffer.from(value));

/**
 * Cuts off the ZipMap that scikit-learn's exporter (skl2onnx) puts behind the probabilities of a classifier, as the engine cannot return
 * a sequence of maps: where it is the only one of the graph, and what it gives is an output of the graph and nothing else. All other
 * fields of the file (ModelProto of onnx.proto) stay byte for byte, in their order.
 * @throws OnnxRefused where the bytes are not protobuf
 */
export function cutZipMap(bytes: Uint8Array): WithoutZipMap {
  if (bytes.length === 0 || otherFormatOf(bytes) !== undefined) return { bytes };
  const source = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length); // parts of a Buffer are slow to make
  return asOnnx(() => {
    const [graph, ...more] = fieldsOf(source, 7);
    const cut = graph !== undefined && more.length === 0 ? findCut(graph) : undefined;
    if (cut === undefined) return { bytes };
    const parts = rewritten(source, (own) => (own.number === 7 ? bytesField(7, ...rewriteGraph(own.bytes, cut)) : undefined));
    const opset = importsDefault(source) ? [] : bytesField(8, ...text(1, ''), varintField(2, IDENTITY_OPSET));
    return { bytes: Buffer.concat([...parts, ...opset]), labels: cut.labels, output: cut.output };
  });
}

function fieldsOf(source: Uint8Array, number: number): readonly Uint8Array[] {
  const fields = new Fields(source);
  const found: Uint8Array[] = [];
  while (fields.next()) if (fields.number === number) found.push(fields.bytes);
  return found;
}

/** A message with the fields of these numbers as `change` makes them; undefined: as they are. */
function rewritten(source: Uint8Array, change: (fields: Fields) => readonly Uint8Array[] | undefined): readonly Uint8Array[] {
  const fields = new Fields(source);
  const parts: Uint8Array[] = [];
  let kept = 0;
  while (fields.next()) {
    const changed = change(fields);
    if (changed === undefined) continue;
    parts.push(source.subarray(kept, fields.start), ...changed);
    kept = fields.end;
  }
  return [...parts, source.subarray(kept)];
}

function rewriteGraph(source: Uint8Array, { output, labels, rows }: Cut): readonly Uint8Array[] {
  return rewritten(source, (fields) => {
    if (fields.number === 1 && isZipMap(readNode(fields.bytes))) return bytesField(1, ...identityOf(fields.bytes));
    if (fields.number === 12 && readValueInfo(fields.bytes).name === output) {
      return bytesField(12, ...rewritten(fields.bytes, (own) => (own.number === 2 ? floatType([rows, labels.length]) : undefined)));
    }
    return undefined;
  });
}

/** NodeProto: op_type 4; attributes 5 and domain 7 are left out, all else stays. */
function identityOf(source: Uint8Array): readonly Uint8Array[] {
  return rewritten(source, ({ number }) => {
    if (number === 4) return text(4, 'Identity');
    return number === 5 || number === 7 ? [] : undefined;
  });
}

/** The type (2) of a ValueInfoProto: a tensor_type (1) with elem_type (1) FLOAT (1) and a shape (2). */
function floatType(dims: readonly Dim[]): readonly Uint8Array[] {
  const written = dims.map((dim) => (typeof dim === 'number' ? [varintField(1, dim)] : dim === null ? [] : text(2, dim)));
  const shape = written.flatMap((dim) => bytesField(1, ...dim));
  return bytesField(2, ...bytesField(1, varintField(1, 1), ...bytesField(2, ...shape)));
}

function isZipMap({ operator }: NodeProto): boolean {
  return operator.title === 'ai.onnx.ml:ZipMap';
}

function findCut(graph: Uint8Array): Cut | undefined {
  const node = onlyZipMap(graph);
  const [output] = node?.outputs ?? [];
  const labels = node && labelsOf(node);
  if (output === undefined || labels === undefined || !isOutputOnly(graph, output)) return undefined;
  const [first] = fieldsOf(graph, 11);
  const [rows = null] = (first && readValueInfo(first).dims) ?? [];
  return { output, labels, rows: typeof rows === 'string' ? rows : null };
}

function onlyZipMap(graph: Uint8Array): NodeProto | undefined {
  const fields = new Fields(graph);
  let found: NodeProto | undefined;
  while (fields.next()) {
    if (fields.number !== 1) continue;
    const node = readNode(fields.bytes);
    if (!isZipMap(node)) continue;
    if (found !== undefined || node.outputs.length !== 1) return undefined;
    found = node;
  }
  return found;
}

/** Whether a value is an output of the graph, as a sequence, and no node takes it. */
function isOutputOnly(graph: Uint8Array, name: string): boolean {
  const fields = new Fields(graph);
  let times = 0;
  while (fields.next()) {
    if (fields.number === 1 && readNode(fields.bytes).inputs.includes(name)) return false;
    if (fields.number !== 12) continue;
    const output = readValueInfo(fields.bytes);
    if (output.name === name && output.kind === 'sequence') times++;
  }
  return times === 1;
}

/** The attributes classlabels_strings and classlabels_int64s, of which there must be one (AttributeProto: ints 8, strings 9). */
function labelsOf({ attributes }: NodeProto): readonly (string | number)[] | undefined {
  const labels: (string | number)[] = [];
  const named = attributes.filter((attribute) => attributeName(attribute).startsWith('classlabels_'));
  if (named.length !== 1) return undefined;
  const fields = new Fields(named[0] as Uint8Array);
  while (fields.next() && labels.length <= MAX_LABELS) {
    if (fields.number === 9) labels.push(fields.text);
    if (fields.number === 8 && labels.length + fields.varints <= MAX_LABELS) for (const label of fields.int64s) labels.push(plain(label));
  }
  return labels.length > 0 && labels.length <= MAX_LABELS ? labels : undefined;
}

const plain = (label: bigint): string | number => (Number.isSafeInteger(Number(label)) ? Number(label) : String(label));

/** OperatorSetIdProto: domain 1. */
function importsDefault(bytes: Uint8Array): boolean {
  return fieldsOf(bytes, 8).some((source) => {
    const [domain] = fieldsOf(source, 1);
    return domain === undefined || ['', 'ai.onnx'].includes(Buffer.from(domain).toString());
  });
}
