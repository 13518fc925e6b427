import { type Attribute, DTYPE, floats, int64s, type Node, onnxModel, type Tensor } from '../../../test/onnx/onnx-writer';
import { int, message, node as rawNode, rawModel, text, tensor as rawTensor, varint } from '../../../test/onnx/raw-onnx';
import { walkOnnx } from './onnx-walk';

/** Why a graph of these nodes from x, FLOAT [N, 4], to y is unbounded. */
const reasons = (nodes: readonly Node[], initializers: readonly Tensor[] = []) => {
  const value = (name: string) => ({ name, dtype: DTYPE.float32, dims: ['N', 4] });
  return walkOnnx(onnxModel({ graph: { name: 'g', inputs: [value('x')], outputs: [value('y')], nodes, initializers } })).unbounded;
};

const node = (op: string, inputs: readonly string[], attributes: Record<string, Attribute> = {}, domain = ''): Node => {
  return { op, inputs, outputs: ['y'], attributes, domain };
};

const shape = (...values: number[]) => int64s('c', [values.length], values);
const scales = (...values: number[]) => floats('c', [values.length], values);

describe('an operator that is bounded by the shapes of its inputs', () => {
  it.each([
    ...['Add', 'Relu', 'MatMul', 'Gemm', 'Softmax', 'ReduceMean', 'Concat', 'Gather', 'Transpose', 'LSTM', 'ArgMax', 'BatchNormalization'],
    ...['Slice', 'Squeeze', 'Unsqueeze', 'Reshape', 'TopK', 'Conv', 'MaxPool', 'AveragePool', 'ConvTranspose'],
  ])('gives no reason: %s', (op) => {
    expect(reasons([node(op, ['x', 'x', 'x'])])).toEqual([]);
  });

  it.each(['Scaler', 'TreeEnsembleClassifier', 'SVMRegressor', 'LinearClassifier', 'Normalizer', 'OneHotEncoder', 'ZipMap'])(
    'gives no reason: ai.onnx.ml:%s',
    (op) => expect(reasons([node(op, ['x'], {}, 'ai.onnx.ml')])).toEqual([]),
  );
});

describe('an operator that is not', () => {
  it.each(['Loop', 'If', 'Scan', 'Einsum', 'DFT', 'toString'])('is named: %s', (op) => {
    expect(reasons([node(op, ['x'])])).toEqual([`it has the operator ${op}`]);
  });

  it('is named with its domain', () => {
    expect(reasons([node('Relu', ['x'], {}, 'ai.onnx.ml')])).toEqual(['it has the operator ai.onnx.ml:Relu']);
    expect(reasons([node('FusedConv', ['x'], {}, 'com.microsoft')])).toEqual(['it has the operator com.microsoft:FusedConv']);
  });

  it.each(['NonZero', 'NonMaxSuppression', 'Unique', 'Compress', 'SequenceAt', 'SplitToSequence', 'Optional', 'StringSplit'])(
    'takes its shape from data: %s',
    (op) => expect(reasons([node(op, ['x'])])).toEqual([`the operator ${op} takes its shape from data`]),
  );

  it('is named once, however often it is there', () => {
    expect(reasons([node('NonZero', ['x']), { ...node('NonZero', ['x']), outputs: ['z'] }])).toHaveLength(1);
  });
});

/** operator, the place of the input that gives the shape, a small one, a large one */
const SHAPED: readonly (readonly [string, number, Tensor, Tensor])[] = [
  ['Expand', 1, shape(10, 1000), shape(1e7, 2)],
  ['Tile', 1, shape(4, 16), shape(5, 16)],
  ['ConstantOfShape', 0, shape(1e7), shape(1e7 + 1)],
  ['Pad', 1, shape(0, 3, 0, 3), shape(1000, 1000, 0, 0)],
  ['OneHot', 1, shape(1000), shape(1e6)],
  ['Upsample', 1, scales(1, 8, 8), scales(1, 8, 8.5)],
  ['Resize', 1, scales(1, 8, 8), scales(1, 8, 8.5)],
  ['Resize', 2, scales(1, 8, 8), scales(1, 8, 8.5)],
  ['Resize', 3, shape(1, 3, 224, 224), shape(1, 3, 2240, 2240)],
];

describe('an operator whose result has the shape that an input says', () => {
  const at = (op: string, place: number, name: string) => node(op, [...['x', '', ''].slice(0, Math.max(place, 0)), name]);

  it.each(SHAPED)('is bounded where a small constant says it: %s, input %d', (op, place, small) => {
    expect(reasons([at(op, place, 'c')], [small])).toEqual([]);
    const constant = { op: 'Constant', inputs: [], outputs: ['c'], attributes: { value: { tensor: small } } };
    expect(reasons([at(op, place, 'c'), constant])).toEqual([]);
  });

  it.each(SHAPED)('is not where a large constant says it: %s, input %d', (op, place, _, large) => {
    expect(reasons([at(op, place, 'c')], [large])).toEqual([`the operator ${op} makes too much of its input`]);
  });

  it.each(SHAPED)('is not where data says it: %s, input %d', (op, place) => {
    const made = { op: 'Shape', inputs: ['x'], outputs: ['c'] };
    expect(reasons([at(op, place, 'c'), made])).toEqual([`the operator ${op} takes its shape from data`]);
    expect(reasons([at(op, place, 'c'), made], [shape(1)])).toEqual([`the operator ${op} takes its shape from data`]); // given twice
  });

  it('is not where the constant is of an outer graph, too long, or no numbers', () => {
    const expand = node('Expand', ['x', 'c']);
    const body = { name: 'b', inputs: [], outputs: [], nodes: [expand] };
    const outer = reasons([{ op: 'Scan', inputs: [], outputs: ['y'], attributes: { body: { graph: body } } }], [shape(1)]);
    expect(outer).toContain('the operator Expand takes its shape from data');
    const fails = ['the operator Expand takes its shape from data'];
    expect(reasons([expand], [shape(...Array<number>(65).fill(1))])).toEqual(fails);
    expect(reasons([expand], [{ name: 'c', dtype: DTYPE.string, dims: [1], data: { strings: ['1'] } }])).toEqual(fails);
  });

  it('is bounded where a Constant node says it as plain numbers', () => {
    const constant = (value: Attribute) => ({ op: 'Constant', inputs: [], outputs: ['c'], attributes: { value_ints: value } });
    expect(reasons([node('Tile', ['x', 'c']), constant({ ints: [2, 2] })])).toEqual([]);
    expect(reasons([node('Tile', ['x', 'c']), constant({ ints: [2, 200] })])).toHaveLength(1);
    expect(reasons([node('Upsample', ['x', 'c']), constant({ floats: [2, 2] })])).toEqual([]);
  });

  it.each<[string, number, Buffer]>([
    ['int64', 7, message(7, varint(2), varint(3))],
    ['int32', 6, message(5, varint(2), varint(3))],
    ['float', 1, message(4, Buffer.from(Float32Array.of(2, 3).buffer))],
    ['double', 11, message(10, Buffer.from(Float64Array.of(2, 3).buffer))],
  ])('reads a constant of typed data: %s', (_, dataType, data) => {
    const tile = message(1, text(1, 'x'), text(1, 'w'), text(2, 'z'), text(4, 'Tile'));
    expect(walkOnnx(rawModel({ graph: [tile, message(5, rawTensor(dataType, [2], data))] })).unbounded).toEqual([]);
  });

  it('is bounded by its attributes in old operator sets', () => {
    expect(reasons([node('Pad', ['x'], { pads: { ints: [0, 1, 0, 1] } })])).toEqual([]);
    expect(reasons([node('Pad', ['x'], { pads: { ints: [0, 1e6, 0, 1] } })])).toHaveLength(1);
    expect(reasons([node('Upsample', ['x'], { scales: { floats: [2, 2] } })])).toEqual([]);
  });
});

describe('attributes and constants that make much of little', () => {
  const large = (op: string, attributes: Record<string, Attribute>) =>
    expect(reasons([node(op, ['x', 'x'], attributes)])).toEqual([`the operator ${op} makes too much of its input`]);

  it('are found in windows and their padding', () => {
    expect.assertions(6);
    large('Conv', { pads: { ints: [1e9, 0, 0, 0] } });
    large('MaxPool', { kernel_shape: { ints: [1e4, 1e4] } });
    large('ConvTranspose', { strides: { ints: [100, 100] } });
    large('ConvTranspose', { dilations: { ints: [100, 100] } });
    large('ConvTranspose', { output_shape: { ints: [1e5, 1e5] } });
    large('ConvTranspose', { output_padding: { ints: [1e5, 1e5] } });
  });

  it('are found in ranges', () => {
    const range = (start: number, limit: number, delta: number) =>
      reasons([node('Range', ['a', 'b', 'c'])], [floats('a', [], [start]), floats('b', [], [limit]), floats('c', [], [delta])]);
    expect(range(0, 100, 1)).toEqual([]);
    expect(range(0, 1e8, 1)).toHaveLength(1);
    expect(range(0, 1, 1e-20)).toHaveLength(1);
    expect(range(0, 0, 0)).toHaveLength(1);
    expect(reasons([node('Range', ['x', 'x', 'x'])])).toEqual(['the operator Range takes its shape from data']);
  });

  it('are suspected where a resize keeps the ratio of the sides', () => {
    const keeping = node('Resize', ['x', '', '', 'c'], { keep_aspect_ratio_policy: { string: 'not_smaller' } });
    expect(reasons([keeping], [shape(1, 2)])).toEqual(['the operator Resize takes its shape from data']);
  });
});

it('finds what is unbounded in local functions too', () => {
  const nonZero = rawNode('NonZero', [], 7);
  const model = rawModel({ model: [message(25, text(1, 'f'), text(10, 'd'), nonZero, int(2, 0))] });
  expect(walkOnnx(model).unbounded).toEqual(['it has local functions', 'the operator NonZero takes its shape from data']);
});
