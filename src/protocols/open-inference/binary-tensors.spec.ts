import { dataFromBytes, ELEMENT_BYTES } from './binary-tensors';

const ABOUT = { input: 'x', model: 'm' } as const;

describe(dataFromBytes, () => {
  it.each(Object.entries(ELEMENT_BYTES))('makes no copy of %s where its place in memory allows it', (datatype, size) => {
    const body = Buffer.from(new ArrayBuffer(64), 16, 3 * size);
    const data = dataFromBytes(body, { ...ABOUT, datatype: datatype as keyof typeof ELEMENT_BYTES, length: 3 }) as Uint8Array;
    expect([data.buffer === body.buffer, data.byteOffset, data.length]).toEqual([true, 16, 3]);
  });

  it('copies the elements, and nothing else, where their place does not allow it', () => {
    const body = Buffer.from(new ArrayBuffer(64), 3, 8);
    body.writeFloatLE(1.5, 0);
    body.writeUInt32LE(0x7fc00001, 4);
    const data = dataFromBytes(body, { ...ABOUT, datatype: 'FP32', length: 2 }) as Float32Array;
    expect([data[0], data.buffer.byteLength]).toEqual([1.5, 8]);
    expect(Buffer.from(data.buffer).equals(body)).toBe(true);
  });

  it('makes no room for texts that did not come', () => {
    const walk = () => dataFromBytes(Buffer.alloc(16), { ...ABOUT, datatype: 'BYTES', length: 2 ** 40 });
    expect(walk).toThrow(expect.objectContaining({ code: 'BINARY_MALFORMED' }));
  });
});
