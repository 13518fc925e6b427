import { WIRE } from './protobuf';

/** A number from 0 up as a varint. */
export function varint(value: number): Uint8Array {
  const low: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) low.push((rest % 128) | 128);
  return Uint8Array.of(...low, rest);
}

/** A varint field with a number from 0 up. */
export function varintField(field: number, value: number): Uint8Array {
  return Buffer.concat([varint(field * 8 + WIRE.varint), varint(value)]);
}

/** A field of bytes, text or a message: its tag and length, then `parts` as they are. */
export function bytesField(field: number, ...parts: readonly Uint8Array[]): Uint8Array[] {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return [varint(field * 8 + WIRE.bytes), varint(length), ...parts];
}
