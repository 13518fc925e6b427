import { fixed, int, message, text, varint } from '../../../test/onnx/raw-onnx';
import { Fields, NotProtobuf } from './protobuf';
import { bytesField, varint as writtenVarint, varintField } from './protobuf-writer';

const first = (bytes: Uint8Array): Fields => {
  const fields = new Fields(bytes);
  fields.next();
  return fields;
};

const readAll = (bytes: Uint8Array): number[] => {
  const fields = new Fields(bytes);
  const numbers: number[] = [];
  while (fields.next()) numbers.push(fields.number);
  return numbers;
};

describe(Fields.name, () => {
  it('gives each field once, in the order of the file', () => {
    expect(readAll(Buffer.concat([int(1, 7), text(4, 'a'), fixed(536_870_911, 8), fixed(2, 4), int(1, 8)]))).toEqual([
      1, 4, 536_870_911, 2, 1,
    ]);
    expect(readAll(new Uint8Array())).toEqual([]);
  });

  it.each([0n, 1n, 127n, 128n, 2n ** 53n + 1n, 2n ** 63n - 1n, -1n, -(2n ** 63n)])('reads the int64 %s', (value) => {
    expect(first(int(3, value)).int64).toBe(value);
  });

  it('cuts an enum to 32 bits, as the engine does', () => {
    expect(first(int(14, 2n ** 32n + 1n)).int32).toBe(1);
    expect(first(int(14, -1)).int32).toBe(-1);
  });

  it('gives bytes as a view, not as a copy', () => {
    const file = message(9, Buffer.alloc(1000));
    expect(first(file).bytes.buffer).toBe(file.buffer);
    expect(first(file).bytes).toHaveLength(1000);
  });

  it('tells where a field begins and ends', () => {
    const fields = new Fields(Buffer.concat([int(1, 1), text(2, 'abc')]));
    fields.next();
    fields.next();
    expect([fields.start, fields.end]).toEqual([2, 7]);
  });

  it('reads and counts repeated numbers, packed or not', () => {
    const packed = first(message(1, varint(1), varint(300), varint(-1)));
    expect(packed.varints).toBe(3);
    expect(packed.int64s).toEqual([1n, 300n, -1n]);
    expect(first(int(1, 300)).varints).toBe(1);
    expect(first(int(1, 300)).int64s).toEqual([300n]);
    expect(first(message(4, Buffer.alloc(12))).fixed(4)).toBe(3);
    expect(first(fixed(4, 4)).fixed(4)).toBe(1);
    expect(first(fixed(10, 8)).fixed(8)).toBe(1);
    expect(first(fixed(10, 8)).fixedBytes(8)).toHaveLength(8);
    expect(first(message(10, Buffer.alloc(16))).fixedBytes(8)).toHaveLength(16);
  });

  it.each<[string, readonly number[]]>([
    ['a number of more than ten bytes', [0x08, ...Array<number>(10).fill(0x80), 0]],
    ['a number of more than 64 bits', [0x08, ...Array<number>(9).fill(0xff), 2]],
    ['a length beyond the end', [0x0a, 2, 0]],
    ['a length of 2^63', [0x0a, ...Array<number>(8).fill(0x80), 0x80, 1]],
    ['the field number 0', [0x00, 0]],
    ['a field number beyond 29 bits', [0x80, 0x80, 0x80, 0x80, 0x10, 0]],
    ['the start of a group', [0x0b]],
    ['the end of a group', [0x0c]],
    ['the wire type 6', [0x0e, 0]],
    ['the wire type 7', [0x0f, 0]],
    ['a tag that is cut off', [0x80]],
    ['a number that is cut off', [0x08, 0x80]],
    ['a length that is cut off', [0x0a, 0x80]],
    ['four bytes that are cut off', [0x0d, 0, 0, 0]],
    ['eight bytes that are cut off', [0x09, 0, 0, 0, 0, 0, 0, 0]],
  ])('refuses %s', (_, bytes) => {
    expect(() => readAll(Uint8Array.from(bytes))).toThrow(NotProtobuf);
  });

  it.each<[string, () => unknown]>([
    ['bytes that are a number', () => first(int(1, 1)).bytes],
    ['a number that is bytes', () => first(text(1, 'a')).int64],
    ['text that is not UTF-8', () => first(message(1, Buffer.from([0xff]))).text],
    ['packed numbers that end within one', () => first(message(1, Buffer.from([0x80]))).varints],
    ['packed numbers of more than ten bytes', () => first(message(1, Buffer.alloc(11, 0x80))).varints],
    ['packed numbers of more than 64 bits', () => first(message(1, Buffer.concat([Buffer.alloc(9, 0xff), Buffer.from([2])]))).int64s],
    ['packed floats that end within one', () => first(message(4, Buffer.alloc(7))).fixed(4)],
    ['a float that has eight bytes', () => first(fixed(4, 8)).fixed(4)],
  ])('refuses %s', (_, read) => {
    expect(read).toThrow(NotProtobuf);
  });

  it('refuses a second field where only one may be', () => {
    const fields = new Fields(Buffer.concat([text(7, 'a'), text(7, 'b')]));
    fields.next();
    expect(Buffer.from(fields.only).toString()).toBe('a');
    fields.next();
    expect(() => fields.only).toThrow('the field 7 is there twice');
  });
});

describe('what is written', () => {
  it.each([0, 1, 127, 128, 300, 2 ** 31, 2 ** 40])('is read back: %d', (value) => {
    expect(first(varintField(3, value)).int64).toBe(BigInt(value));
    expect(Buffer.from(writtenVarint(value))).toEqual(varint(value));
  });

  it('is read back: bytes in parts', () => {
    const field = Buffer.concat(bytesField(20, Buffer.alloc(100, 1), Buffer.alloc(100, 2)));
    expect(field).toEqual(message(20, Buffer.alloc(100, 1), Buffer.alloc(100, 2)));
  });
});
