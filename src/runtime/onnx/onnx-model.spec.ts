import { failing, identity, linear, padded, twoInputs } from '../../../test/onnx/models';
import { DTYPE, onnxModel } from '../../../test/onnx/onnx-writer';
import { OnnxModel } from './onnx-model';
import { OnnxError } from './onnx-error';
import { type Datatype, DATATYPES, emptyData, type Tensor, type TensorData } from '../tensor';

const DTYPES: Readonly<Record<Datatype, number>> = {
  BOOL: DTYPE.bool,
  UINT8: DTYPE.uint8,
  UINT16: DTYPE.uint16,
  UINT32: DTYPE.uint32,
  UINT64: DTYPE.uint64,
  INT8: DTYPE.int8,
  INT16: DTYPE.int16,
  INT32: DTYPE.int32,
  INT64: DTYPE.int64,
  FP16: DTYPE.float16,
  FP32: DTYPE.float32,
  FP64: DTYPE.float64,
  BYTES: DTYPE.string,
};

/** Least and greatest, or what is most likely to be changed on the way. */
const EXTREMES: Readonly<Record<Datatype, TensorData>> = {
  BOOL: Uint8Array.of(0, 1),
  UINT8: Uint8Array.of(0, 255),
  UINT16: Uint16Array.of(0, 65_535),
  UINT32: Uint32Array.of(0, 2 ** 32 - 1),
  UINT64: BigUint64Array.of(0n, 2n ** 64n - 1n),
  INT8: Int8Array.of(-128, 127),
  INT16: Int16Array.of(-32_768, 32_767),
  INT32: Int32Array.of(-(2 ** 31), 2 ** 31 - 1),
  INT64: BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n),
  FP16: Uint16Array.of(0x0001, 0xfc00), // the least above zero, and -infinity
  FP32: Float32Array.of(-0, Number.NaN),
  FP64: Float64Array.of(0.1, Number.NEGATIVE_INFINITY),
  BYTES: ['', 'ä 😀\n'],
};

describe(OnnxModel.name, () => {
  const loaded: OnnxModel[] = [];
  async function load(bytes: Buffer): Promise<OnnxModel> {
    const model = await OnnxModel.load(bytes);
    loaded.push(model);
    return model;
  }
  afterEach(() => Promise.all(loaded.splice(0).map((model) => model.release())));

  describe.each(DATATYPES)('with %s', (datatype) => {
    const tensor = (name: string, rows: number, data: TensorData): Tensor => ({ name, datatype, shape: [rows, 2], data });

    it('tells the datatype and gives every element back as it came', async () => {
      const model = await load(identity(DTYPES[datatype], ['N', 2]));
      await model.warmUp();
      expect(model.signature).toEqual({
        inputs: [{ name: 'x', datatype, shape: [-1, 2] }],
        outputs: [{ name: 'y', datatype, shape: [-1, 2] }],
      });
      expect(await model.run([tensor('x', 1, EXTREMES[datatype])], ['y'])).toEqual([tensor('y', 1, EXTREMES[datatype])]);
    });

    it('answers no rows with no rows', async () => {
      const model = await load(identity(DTYPES[datatype], ['N', 2]));
      expect(await model.run([tensor('x', 0, emptyData(datatype, 0))], ['y'])).toEqual([tensor('y', 0, emptyData(datatype, 0))]);
    });
  });

  const floats = (name: string, shape: readonly number[], ...values: number[]): Tensor => {
    return { name, datatype: 'FP32', shape, data: Float32Array.from(values) };
  };

  it('takes a scalar', async () => {
    const model = await load(identity(DTYPE.float32, []));
    await model.warmUp();
    expect(await model.run([floats('x', [], 3)], ['y'])).toEqual([floats('y', [], 3)]);
  });

  it('gives the outputs asked for, in the order asked for', async () => {
    const model = await load(twoInputs());
    const inputs = [floats('b', [1, 1], 3), floats('a', [1, 1], 2)];
    expect(await model.run(inputs, ['product', 'sum'])).toEqual([floats('product', [1, 1], 6), floats('sum', [1, 1], 5)]);
    expect(await model.run(inputs, ['sum'])).toEqual([floats('sum', [1, 1], 5)]);
  });

  it('does not warm up what is free in more than its rows: nobody knows what size it takes', async () => {
    // a sample of one column would be refused: two columns are multiplied
    const nodes = [{ op: 'MatMul', inputs: ['x', 'weights'], outputs: ['y'] }];
    const value = (name: string) => ({ name, dtype: DTYPE.float32, dims: [null, null] });
    const weights = { name: 'weights', dtype: DTYPE.float32, dims: [2, 1], data: { raw: Buffer.alloc(8) } };
    const model = await load(
      onnxModel({ graph: { name: 'free', inputs: [value('x')], outputs: [value('y')], nodes, initializers: [weights] } }),
    );
    await expect(model.warmUp()).resolves.toBeUndefined();
    await expect(model.run([floats('x', [1, 1], 0)], ['y'])).rejects.toThrow(OnnxError);
  });

  it('warms up what does work on a sample, and says where that fails', async () => {
    const nodes = [{ op: 'Gather', inputs: ['table', 'x'], outputs: ['y'] }];
    const table = { name: 'table', dtype: DTYPE.float32, dims: [0], data: { raw: Buffer.alloc(0) } };
    const inputs = [{ name: 'x', dtype: DTYPE.int64, dims: ['N'] }];
    const outputs = [{ name: 'y', dtype: DTYPE.float32, dims: ['N'] }];
    const model = await load(onnxModel({ graph: { name: 'empty-table', inputs, outputs, nodes, initializers: [table] } }));
    await expect(model.warmUp()).rejects.toThrow(/out of data bounds/);
    await expect((await load(padded(1000))).warmUp()).resolves.toBeUndefined();
  });

  it.each<[string, Buffer, readonly Tensor[], RegExp]>([
    [
      'rows that do not fit together',
      twoInputs(),
      [floats('a', [2, 1], 1, 1), floats('b', [3, 1], 1, 1, 1)],
      /Attempting to broadcast .* 2 by 3$/,
    ],
    [
      'an element out of bounds',
      failing(),
      [{ name: 'x', datatype: 'INT64', shape: [1], data: BigInt64Array.of(7n) }],
      /out of data bounds/,
    ],
    ['another datatype', failing(), [floats('x', [1], 0)], /Unexpected input data type/],
    ['too many columns', linear([[1]]), [floats('x', [1, 2], 0, 0)], /Got: 2 Expected: 1/],
    ['no input', linear([[1]]), [], /'x' is missing/],
    ['fewer elements than the shape holds', linear([[1]]), [floats('x', [2, 1], 0)], /does not match data length/],
  ])('says in one line, without a path of the library’s build, why it cannot compute %s', async (_what, bytes, inputs, reason) => {
    const model = await load(bytes);
    const error = await model.run(inputs, [model.signature.outputs[0]!.name]).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OnnxError);
    const { message } = error as OnnxError;
    expect(message).toMatch(reason);
    expect(message).not.toMatch(/\/onnxruntime|\n|\.(cc|h):/);
  });

  it.each([
    ['garbage', Buffer.from('garbage'), /protobuf parsing failed/],
    ['nothing', Buffer.alloc(0), /null/],
    ['a model that is cut off', linear([[1], [2]]).subarray(0, 60), /protobuf parsing failed/],
    ['an operator that it does not have', withOperator('Bogus'), /No Op registered for Bogus/],
    ['a datatype that it does not have', identity(DTYPE.bfloat16, ['N', 2]), /data type/],
    ['an operator set of the future', withOperator('Identity', 99), /Opset 99/],
  ])('says in one line, without a path of the library’s build, why it does not load %s', async (_what, bytes, reason) => {
    const error = await OnnxModel.load(bytes).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OnnxError);
    const { message } = error as OnnxError;
    expect(message).toMatch(reason);
    expect(message).not.toMatch(/\/onnxruntime|\n/);
    expect(message.length).toBeLessThanOrEqual(500);
  });
});

function withOperator(op: string, opset = 17): Buffer {
  const value = (name: string) => ({ name, dtype: DTYPE.float32, dims: [null, 2] });
  const nodes = [{ op, inputs: ['x'], outputs: ['y'] }];
  return onnxModel({ opset, graph: { name: 'one', inputs: [value('x')], outputs: [value('y')], nodes } });
}
