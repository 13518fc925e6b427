/** A client of the Open Inference Protocol as its specification has it, which shares nothing with the server. */

/** The datatypes that ONNX models here can have, and how large an element is. */
export const SIZES = {
  BOOL: 1,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  FP16: 2,
  FP32: 4,
  FP64: 8,
  BYTES: 0,
} as const;

export type ClientDatatype = keyof typeof SIZES;
export type Value = number | bigint | boolean | string | null;

/** A tensor by its bytes as they are on the wire. */
export interface ClientTensor {
  readonly datatype: ClientDatatype;
  readonly shape: readonly number[];
  readonly bytes: Buffer;
}

export interface ClientRequest {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

export const HEADER = 'inference-header-content-length';

/** As JSON. @param nested as the shape says, else one array */
export function asJson(name: string, { datatype, shape, bytes }: ClientTensor, nested: boolean): ClientRequest {
  const texts = valuesOf(datatype, bytes).map(jsonOf);
  const data = nested && shape.length > 0 ? nest(texts, shape) : `[${texts.join(',')}]`;
  const text = `{"inputs":[{"name":"${name}","shape":[${shape.join(',')}],"datatype":"${datatype}","data":${data}}]}`;
  return { body: Buffer.from(text), headers: {} };
}

/** As bytes behind JSON; all outputs are asked for as bytes. */
export function asBinary(name: string, { datatype, shape, bytes }: ClientTensor): ClientRequest {
  const input = { name, shape, datatype, parameters: { binary_data_size: bytes.length } };
  const json = Buffer.from(JSON.stringify({ inputs: [input], parameters: { binary_data_output: true } }));
  return { body: Buffer.concat([json, bytes]), headers: { [HEADER]: String(json.length) } };
}

/** As bytes alone. */
export function asRaw({ datatype, bytes }: ClientTensor): ClientRequest {
  return { body: datatype === 'BYTES' ? bytes.subarray(4) : bytes, headers: { [HEADER]: '0' } };
}

interface AnsweredOutput {
  readonly name: string;
  readonly datatype: ClientDatatype;
  readonly shape: readonly number[];
  readonly data?: readonly Value[];
  readonly parameters?: { readonly binary_data_size?: number };
}

/** The outputs of an answer, by name. */
export function outputsOf(body: Buffer, headers: Readonly<Record<string, unknown>>): ReadonlyMap<string, ClientTensor> {
  const length = headers[HEADER];
  let at = length === undefined ? body.length : Number(length);
  const { outputs } = parseExactly(body.toString('utf8', 0, at)) as { readonly outputs: readonly AnsweredOutput[] };
  const found = new Map<string, ClientTensor>();
  for (const { name, datatype, shape, data, parameters } of outputs) {
    if (data !== undefined) found.set(name, { datatype, shape, bytes: bytesOf(datatype, data) });
    else {
      const size = parameters?.binary_data_size ?? Number.NaN;
      found.set(name, { datatype, shape, bytes: body.subarray(at, at + size) });
      at += size;
    }
  }
  if (at !== body.length) throw new Error(`${body.length - at} bytes are left`);
  return found;
}

/** The elements that some bytes hold. */
export function valuesOf(datatype: ClientDatatype, bytes: Buffer): readonly Value[] {
  if (datatype === 'BYTES') return textsOf(bytes);
  const size = SIZES[datatype];
  return Array.from({ length: bytes.length / size }, (_, at) => READERS[datatype](bytes, at * size));
}

/** The bytes that some elements have on the wire. */
export function bytesOf(datatype: ClientDatatype, values: readonly Value[]): Buffer {
  if (datatype === 'BYTES') return Buffer.concat(values.map((value) => withLength(Buffer.from(value as string))));
  const bytes = Buffer.alloc(values.length * SIZES[datatype]);
  values.forEach((value, at) => WRITERS[datatype](bytes, at * SIZES[datatype], value as never));
  return bytes;
}

/** An element of BYTES. */
export function withLength(text: Buffer): Buffer {
  const { length } = text;
  return Buffer.concat([Buffer.of(length & 255, (length >> 8) & 255, (length >> 16) & 255, length >>> 24), text]);
}

function textsOf(bytes: Buffer): readonly string[] {
  const texts: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 4 + bytes.readUInt32LE(at);
    texts.push(bytes.toString('utf8', at + 4, end));
    at = end;
  }
  return texts;
}

type Numeric = Exclude<ClientDatatype, 'BYTES'>;

const READERS: Readonly<Record<Numeric, (bytes: Buffer, at: number) => Value>> = {
  BOOL: (bytes, at) => bytes[at] === 1,
  UINT8: (bytes, at) => bytes.readUInt8(at),
  UINT16: (bytes, at) => bytes.readUInt16LE(at),
  UINT32: (bytes, at) => bytes.readUInt32LE(at),
  UINT64: (bytes, at) => bytes.readBigUInt64LE(at),
  INT8: (bytes, at) => bytes.readInt8(at),
  INT16: (bytes, at) => bytes.readInt16LE(at),
  INT32: (bytes, at) => bytes.readInt32LE(at),
  INT64: (bytes, at) => bytes.readBigInt64LE(at),
  FP16: (bytes, at) => bytes.readUInt16LE(at),
  FP32: (bytes, at) => bytes.readFloatLE(at),
  FP64: (bytes, at) => bytes.readDoubleLE(at),
};

const WRITERS: Readonly<Record<Numeric, (bytes: Buffer, at: number, value: never) => unknown>> = {
  BOOL: (bytes, at, value: boolean) => bytes.writeUInt8(value ? 1 : 0, at),
  UINT8: (bytes, at, value: number) => bytes.writeUInt8(value, at),
  UINT16: (bytes, at, value: number) => bytes.writeUInt16LE(value, at),
  UINT32: (bytes, at, value: number) => bytes.writeUInt32LE(value, at),
  UINT64: (bytes, at, value: number | bigint) => bytes.writeBigUInt64LE(BigInt(value), at),
  INT8: (bytes, at, value: number) => bytes.writeInt8(value, at),
  INT16: (bytes, at, value: number) => bytes.writeInt16LE(value, at),
  INT32: (bytes, at, value: number) => bytes.writeInt32LE(value, at),
  INT64: (bytes, at, value: number | bigint) => bytes.writeBigInt64LE(BigInt(value), at),
  FP16: (bytes, at, value: number) => bytes.writeUInt16LE(value, at),
  FP32: (bytes, at, value: number | bigint) => bytes.writeFloatLE(Number(value), at),
  FP64: (bytes, at, value: number | bigint) => bytes.writeDoubleLE(Number(value), at),
};

function jsonOf(value: Value): string {
  if (typeof value === 'bigint') return String(value);
  return Object.is(value, -0) ? '-0.0' : JSON.stringify(value);
}

/** Whole numbers beyond 2^53 as bigint. */
function parseExactly(text: string): unknown {
  if (!/[0-9]{16}/.test(text)) return JSON.parse(text);
  return JSON.parse(text, ((_key: string, value: unknown, { source }: { source?: string }) =>
    typeof value === 'number' && /^-?[0-9]{16,}$/.test(source ?? '') ? BigInt(source as string) : value) as never);
}

function nest(texts: readonly string[], [length = 0, ...inner]: readonly number[]): string {
  if (inner.length === 0) return `[${texts.join(',')}]`;
  const step = length === 0 ? 0 : texts.length / length;
  return `[${Array.from({ length }, (_, at) => nest(texts.slice(at * step, (at + 1) * step), inner)).join(',')}]`;
}
