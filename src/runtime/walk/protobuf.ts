import { isUtf8 } from 'node:buffer';

/** Wire types of the protobuf encoding (protobuf.dev/programming-guides/encoding). Groups (3 and 4) are refused. */
export const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

const MAX_VARINT_BYTES = 10;
const SHORT = 64;

/** The bytes are no protobuf, or not of the message that they should be. */
export class NotProtobuf extends Error {}

/**
 * The fields of one protobuf message, one after the other: `while (fields.next()) switch (fields.number) …`. Nothing is copied and
 * nothing nested is looked into: a nested message is the `bytes` of a field, to be read by `Fields` of its own.
 *
 * Stricter than other readers, so that none of them sees more in the same bytes than this one: no groups, no field of another wire
 * type than asked for, no number beyond 64 bits.
 */
export class Fields {
  /** of the field, from 1 */
  number = 0;
  /** one of `WIRE` */
  wire = 0;
  /** where the field begins, its tag with it */
  start = 0;
  private from = 0; // of its value
  private at = 0; // after it
  private seen = 0; // bit n: the field n was read by `only`

  constructor(private readonly source: Uint8Array) {}

  /** Goes on to the next field. @returns false after the last @throws NotProtobuf */
  next(): boolean {
    if (this.at === this.source.length) return false;
    this.start = this.at;
    const tag = this.skipVarint();
    this.wire = tag & 7;
    this.number = Math.floor(tag / 8);
    if (tag >= 2 ** 32 || this.number === 0) throw new NotProtobuf(`there is no field ${this.number}`);
    this.from = this.at;
    if (this.wire === WIRE.varint) this.skipVarint();
    else this.skip(this.lengthOfValue());
    return true;
  }

  /** Where the field ends. */
  get end(): number {
    return this.at;
  }

  /** How many bytes the value has. */
  get length(): number {
    return this.at - this.from;
  }

  /** The value of a field of bytes, text or a message: a view, no copy. @throws NotProtobuf where it is none of these */
  get bytes(): Uint8Array {
    this.expect(WIRE.bytes);
    return this.source.subarray(this.from, this.at);
  }

  /** As `bytes`, of a field that may be there only once: other readers would merge a second one into the first. @throws NotProtobuf */
  get only(): Uint8Array {
    const bit = 1 << this.number;
    if (this.number > 31 || (this.seen & bit) !== 0) throw new NotProtobuf(`the field ${this.number} is there twice`);
    this.seen |= bit;
    return this.bytes;
  }

  /** The value of a text field. @throws NotProtobuf where it is not UTF-8 */
  get text(): string {
    this.expect(WIRE.bytes);
    let ascii = ''; // what names are, nearly always: many times faster than a decoder
    for (let at = this.from; at < this.at && at < this.from + SHORT; at++) {
      const byte = this.source[at] as number;
      if (byte > 127) break;
      ascii += String.fromCharCode(byte);
    }
    if (ascii.length === this.at - this.from) return ascii;
    const { bytes } = this;
    if (!isUtf8(bytes)) throw new NotProtobuf(`the text of field ${this.number} is not UTF-8`);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  }

  /** The value of a varint field, as a signed number of 64 bits. @throws NotProtobuf where it is no varint */
  get int64(): bigint {
    this.expect(WIRE.varint);
    return valueOf(this.source, this.from, this.at);
  }

  /** The value of a varint field, cut to 32 bits as every reader does with an int32 or an enum. @throws NotProtobuf where it is no varint */
  get int32(): number {
    return Number(BigInt.asIntN(32, this.int64));
  }

  /** How many numbers a repeated varint field has here: one, or the packed ones. @throws NotProtobuf */
  get varints(): number {
    if (this.wire === WIRE.varint) return 1;
    let [count, length] = [0, 0];
    for (const byte of this.bytes) {
      if (++length > MAX_VARINT_BYTES) throw new NotProtobuf('a number has more than ten bytes');
      if (byte < 128) [count, length] = [count + 1, 0];
    }
    if (length > 0) throw new NotProtobuf('it ends within a number');
    return count;
  }

  /** How many numbers a repeated float (`size` 4) or double (8) field has here: one, or the packed ones. @throws NotProtobuf */
  fixed(size: 4 | 8): number {
    if (this.wire === (size === 4 ? WIRE.fixed32 : WIRE.fixed64)) return 1;
    const count = this.bytes.length / size;
    if (!Number.isInteger(count)) throw new NotProtobuf('it ends within a number');
    return count;
  }

  /** The numbers of a repeated int64 field, of which `varints` says how many there are. @throws NotProtobuf */
  get int64s(): bigint[] {
    if (this.wire === WIRE.varint) return [this.int64];
    const packed = new Fields(this.bytes);
    const values: bigint[] = [];
    while (packed.at < packed.source.length) {
      packed.from = packed.at;
      packed.skipVarint();
      values.push(valueOf(packed.source, packed.from, packed.at));
    }
    return values;
  }

  /** The bytes of the numbers of a repeated float (4) or double (8) field, little-endian. @throws NotProtobuf */
  fixedBytes(size: 4 | 8): Uint8Array {
    return this.wire === WIRE.bytes ? this.bytes : this.source.subarray(this.at - size * this.fixed(size), this.at);
  }

  private expect(wire: number): void {
    if (this.wire !== wire) throw new NotProtobuf(`the field ${this.number} has the wire type ${this.wire}`);
  }

  private lengthOfValue(): number {
    if (this.wire === WIRE.fixed64) return 8;
    if (this.wire === WIRE.fixed32) return 4;
    this.expect(WIRE.bytes);
    const length = this.skipVarint();
    this.from = this.at;
    return length;
  }

  private skip(length: number): void {
    if (length > this.source.length - this.at) throw new NotProtobuf(`the field ${this.number} goes on after the end`);
    this.at += length;
  }

  /** @returns the value, exact below 2^53 */
  private skipVarint(): number {
    let value = 0;
    for (let i = 0, factor = 1; i < MAX_VARINT_BYTES; i++, factor *= 128) {
      const byte = this.source[this.at++];
      if (byte === undefined) throw new NotProtobuf('it ends within a number');
      if (factor === 2 ** 63 && byte > 1) break;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    throw new NotProtobuf('a number has more than 64 bits');
  }
}

function valueOf(source: Uint8Array, from: number, to: number): bigint {
  let value = 0n;
  for (let at = to - 1; at >= from; at--) value = (value << 7n) | BigInt((source[at] as number) & 127);
  return BigInt.asIntN(64, value);
}
