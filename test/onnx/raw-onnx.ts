/** A varint of any length up to ten bytes; a negative number takes ten, as int64 does in protobuf. */
export function varint(value: number | bigint): Buffer {
  const low: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) low.push(Number(rest & 127n) | 128);
  return Buffer.from([...low, Number(rest)]);
}

/** A varint field (wire type 0). */
export function int(field: number, value: number | bigint): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

/** A field of bytes (wire type 2): its parts one after the other, so also a message of fields, or packed numbers. */
export function message(field: number, ...parts: readonly Uint8Array[]): Buffer {
  const value = Buffer.concat(parts);
  return Buffer.concat([varint(field * 8 + 2), varint(value.length), value]);
}

/** A text field. */
export function text(field: number, value: string): Buffer {
  return message(field, Buffer.from(value));
}

/** A field of four (wire type 5) or eight bytes (1), all zero. */
export function fixed(field: number, size: 4 | 8): Buffer {
  return Buffer.concat([varint(field * 8 + (size === 4 ? 5 : 1)), Buffer.alloc(size)]);
}

/** A ValueInfoProto of onnx.proto as the field 11 (input), 12 (output) or 13: FLOAT [N]. */
export function vector(field: 11 | 12 | 13, name: string): Buffer {
  return message(field, text(1, name), message(2, message(1, int(1, 1), message(2, message(1, text(2, 'N'))))));
}

/** A NodeProto of onnx.proto as a field of this number (1 in a graph, 7 in a function), from x to y, with more fields of its own. */
export function node(op: string, more: readonly Uint8Array[] = [], field = 1): Buffer {
  return message(field, text(1, 'x'), text(2, 'y'), text(4, op), ...more);
}

/** The fields of y = x with FLOAT [N], and what more is put into its GraphProto (7), its node and beside the graph. */
export function rawModel(more: {
  readonly graph?: readonly Uint8Array[];
  readonly node?: readonly Uint8Array[];
  readonly model?: readonly Uint8Array[];
}): Buffer {
  const graph = [node('Identity', more.node), vector(11, 'x'), vector(12, 'y'), ...(more.graph ?? [])];
  const opset = message(8, text(1, ''), int(2, 17));
  return Buffer.concat([int(1, 8), message(7, ...graph), opset, ...(more.model ?? [])]);
}

/** A TensorProto of onnx.proto without its field number: dims 1, data_type 2, name 8, and its data. */
export function tensor(dataType: number, dims: readonly (number | bigint)[], ...data: readonly Uint8Array[]): Buffer {
  return Buffer.concat([...dims.map((size) => int(1, size)), int(2, dataType), text(8, 'w'), ...data]);
}
