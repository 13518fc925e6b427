import { b, type Block, type CoverageCase, f, i, int, ints, operator, scalar, text, yes } from './operator-cases';
import { changed, graphFiles, type GraphNode, placeholder } from './tfjs-files';
import { loopTwin } from './twins';

const FLOAT = { element_dtype: { type: 'DT_FLOAT' } };
const IMAGE = f([1, 2, 3, 4, 5, 6, 7, 8, 9], 1, 3, 3, 1);
const KERNEL = f([1, 0, 0, 1], 2, 2, 1, 1);
const STRIDES = { strides: ints(1, 1, 1, 1), padding: text('VALID'), data_format: text('NHWC') };
const CUBE = f([1, 2, 3, 4, 5, 6, 7, 8], 1, 2, 2, 2, 1);
const IN_3D = { strides: ints(1, 1, 1, 1, 1), padding: text('VALID'), data_format: text('NDHWC') };
const FUSED = { num_args: int(1), fused_ops: { list: { s: ['BiasAdd', 'Relu'].map((name) => text(name)).map((each) => (each as { s: string }).s) } } }; // prettier-ignore
const BOXES = f([0, 0, 1, 1, 0, 0, 1, 0.9, 2, 2, 3, 3], 3, 4);
const SCORES = f([0.9, 0.8, 0.7]);
const NORMALIZED = [f([1, 3], 1, 1, 1, 2), f([2, 2]), f([1, 0]), f([0, 1]), f([1, 4])];
const NORMALIZATION = { epsilon: { f: 1e-9 }, data_format: text('NHWC') };

/** A model of several nodes, whose outputs are the last of them. @param constants by name */
function graph(
  name: string,
  x: Block,
  nodes: readonly GraphNode[],
  constants: Readonly<Record<string, Block>>,
  ...outputs: readonly Block[]
): CoverageCase {
  // prettier-ignore
  const given = Object.entries(constants).map(([constant, block]) => ({ name: constant, ...block }));
  return { name, files: () => graphFiles([placeholder('x', x.shape, x.dtype), ...nodes], given), inputs: [x], outputs };
}

const node = (name: string, op: string, input: readonly string[], attr: Readonly<Record<string, unknown>> = {}): GraphNode => ({ name, op, input, attr }); // prettier-ignore
const parts = (of: string): readonly GraphNode[] => [node('y0', 'Real', [of]), node('y1', 'Imag', [of])];
const complex = node('c', 'Complex', ['x', 'imaginary']);

const SPECTRAL: readonly CoverageCase[] = [
  graph('Complex, Real, Imag', f([1, -2]), [complex, ...parts('c')], { imaginary: f([3, 4]) }, f([1, -2]), f([3, 4])),
  graph('ComplexAbs', f([3, -5]), [complex, node('y', 'ComplexAbs', ['c'])], { imaginary: f([4, 12]) }, f([5, 13])),
  graph('FFT', f([1, 2, 3, 4], 1, 4), [complex, node('t', 'FFT', ['c']), ...parts('t')], { imaginary: f([0, 0, 0, 0], 1, 4) }, f([10, -2, -2, -2], 1, 4), f([0, 2, 0, -2], 1, 4)), // prettier-ignore
  graph('IFFT', f([10, -2, -2, -2], 1, 4), [complex, node('t', 'IFFT', ['c']), ...parts('t')], { imaginary: f([0, 2, 0, -2], 1, 4) }, f([1, 2, 3, 4], 1, 4), f([0, 0, 0, 0], 1, 4)), // prettier-ignore
  graph('RFFT', f([1, 2, 3, 4], 1, 4), [node('t', 'RFFT', ['x', 'length']), ...parts('t')], { length: i([4]) }, f([10, -2, -2], 1, 3), f([0, 2, 0], 1, 3)), // prettier-ignore
  graph('IRFFT', f([10, -2, -2], 1, 3), [complex, node('y', 'IRFFT', ['c', 'length'])], { imaginary: f([0, 2, 0], 1, 3), length: i([4]) }, f([1, 2, 3, 4], 1, 4)), // prettier-ignore
];

const list = node('list', 'TensorListFromTensor', ['x', 'shape'], FLOAT);
const stack = (of: string): GraphNode => node('y', 'TensorListStack', [of, 'shape'], FLOAT);
const PAIRS = f([1, 2, 3, 4, 5, 6], 3, 2);
const PAIR = { shape: i([2]) };

const LISTS: readonly CoverageCase[] = [
  graph('TensorListFromTensor, TensorListStack', PAIRS, [list, stack('list')], PAIR, PAIRS),
  graph('TensorListGetItem', PAIRS, [list, node('y', 'TensorListGetItem', ['list', 'at', 'shape'], FLOAT)], { ...PAIR, at: scalar(1, 'int32') }, f([3, 4])), // prettier-ignore
  graph('TensorListLength', PAIRS, [list, node('y', 'TensorListLength', ['list'])], PAIR, scalar(3, 'int32')),
  graph('TensorListReserve, TensorListSetItem', f([7, 8]), [node('empty', 'TensorListReserve', ['shape', 'one'], FLOAT), node('set', 'TensorListSetItem', ['empty', 'zero', 'x'], FLOAT), stack('set')], { ...PAIR, zero: scalar(0, 'int32'), one: scalar(1, 'int32') }, f([7, 8], 1, 2)), // prettier-ignore
  graph('EmptyTensorList, TensorListPushBack', f([7, 8]), [node('empty', 'EmptyTensorList', ['shape', 'one'], FLOAT), node('set', 'TensorListPushBack', ['empty', 'x'], FLOAT), stack('set')], { ...PAIR, one: scalar(1, 'int32') }, f([7, 8], 1, 2)), // prettier-ignore
  graph('TensorListGather', PAIRS, [list, node('y', 'TensorListGather', ['list', 'which', 'shape'], FLOAT)], { ...PAIR, which: i([2, 0]) }, f([5, 6, 1, 2], 2, 2)), // prettier-ignore
  graph('TensorListScatterV2', PAIRS, [node('list', 'TensorListScatterV2', ['x', 'which', 'shape', 'three'], FLOAT), stack('list')], { ...PAIR, which: i([2, 0, 1]), three: scalar(3, 'int32') }, f([3, 4, 5, 6, 1, 2], 3, 2)), // prettier-ignore
  graph('TensorListConcatV2', PAIRS, [list, node('y', 'TensorListConcatV2', ['list'], { ...FLOAT, element_shape: { shape: { dim: [{ size: '2' }] } } })], PAIR, f([1, 2, 3, 4, 5, 6])), // prettier-ignore
];

const branch = (name: string, constant: string): object => ({
  signature: { name, inputArg: [{ name: 'n', type: 'DT_FLOAT' }], outputArg: [{ name: 'out', type: 'DT_FLOAT' }] },
  nodeDef: [{ name: constant, op: 'Const', attr: { dtype: { type: 'DT_FLOAT' }, value: { tensor: { dtype: 'DT_FLOAT', tensorShape: {} } } } }, node('product', 'Mul', ['n', constant])], // prettier-ignore
  ret: { out: 'product:z:0' },
});
const BRANCHES = { then_branch: { func: { name: 'then' } }, else_branch: { func: { name: 'else' } } };
function either(op: string, value: number, wanted: number): CoverageCase {
  const nodes = [node('positive', 'Greater', ['x', 'zero']), node('y', op, ['positive', 'x'], BRANCHES)];
  const files = graphFiles([placeholder('x', []), ...nodes], Object.entries({ zero: 0, ten: 10, hundred: 100 }).map(([name, each]) => ({ name, shape: [], values: [each] }))); // prettier-ignore
  const library = { function: [branch('then', 'ten'), branch('else', 'hundred')] };
  // what only branches use is no output of the graph
  const signature = { inputs: { x: { name: 'x:0', dtype: 'DT_FLOAT' } }, outputs: { y: { name: 'y:0', dtype: 'DT_FLOAT' } } };
  const whole = changed(files, (json) =>
    Object.assign(json, { signature }, { modelTopology: { ...(json.modelTopology as object), library } }),
  );
  return { name: `${op}: ${value > 0 ? 'then' : 'else'}`, files: () => whole, inputs: [scalar(value)], outputs: [scalar(wanted)] };
}

/** Operators that models have seldom. */
export const RARE_OPERATOR_CASES: readonly CoverageCase[] = [
  ...SPECTRAL,
  ...LISTS,
  either('StatelessIf', 3, 30),
  either('StatelessIf', -3, -300),
  either('If', 3, 30),
  either('If', -3, -300),
  { name: 'StatelessWhile', files: () => loopTwin(100, 7), inputs: [scalar(3)], outputs: [scalar(101)] },
  operator('MaxPoolWithArgmax', [IMAGE], [f([5, 6, 8, 9], 1, 2, 2, 1), i([4, 5, 7, 8], 1, 2, 2, 1)], { ...STRIDES, ksize: ints(1, 2, 2, 1) }), // prettier-ignore
  operator('MaxPool3D', [CUBE], f([8], 1, 1, 1, 1, 1), { ...IN_3D, ksize: ints(1, 2, 2, 2, 1) }),
  operator('AvgPool3D', [CUBE], f([4.5], 1, 1, 1, 1, 1), { ...IN_3D, ksize: ints(1, 2, 2, 2, 1) }),
  operator('Conv3D', [CUBE, f([1, 0, 0, 0, 0, 0, 0, 10], 2, 2, 2, 1, 1)], f([81], 1, 1, 1, 1, 1), { ...IN_3D, dilations: ints(1, 1, 1, 1, 1) }), // prettier-ignore
  operator('Conv1D', [f([1, 2, 3, 4], 1, 4, 1), f([1, 10], 2, 1, 1)], f([21, 32, 43], 1, 3, 1), { stride: int(1), padding: text('VALID'), data_format: text('NWC'), dilation: int(1) }), // prettier-ignore
  operator('_FusedConv2D', [IMAGE, KERNEL, f([-10])], f([0, 0, 2, 4], 1, 2, 2, 1), { ...STRIDES, ...FUSED, dilations: ints(1, 1, 1, 1) }),
  operator('FusedDepthwiseConv2dNative', [IMAGE, KERNEL, f([-10])], f([0, 0, 2, 4], 1, 2, 2, 1), { ...STRIDES, ...FUSED, dilations: ints(1, 1, 1, 1) }), // prettier-ignore
  operator('DepthwiseConv2d', [IMAGE, KERNEL], f([6, 8, 12, 14], 1, 2, 2, 1), { ...STRIDES, dilations: ints(1, 1, 1, 1) }),
  operator('_FusedMatMul', [f([1, 2, 3, 4], 2, 2), f([1, -1], 2, 1), f([0.5])], f([0, 0], 2, 1), FUSED),
  operator('Dilation2D', [IMAGE, f([0, 0, 0, 1], 2, 2, 1)], f([6, 7, 9, 10], 1, 2, 2, 1), { ...STRIDES, rates: ints(1, 1, 1, 1) }),
  operator('FusedBatchNorm', NORMALIZED, f([3, 2], 1, 1, 1, 2), NORMALIZATION),
  operator('FusedBatchNormV2', NORMALIZED, f([3, 2], 1, 1, 1, 2), NORMALIZATION),
  operator('BatchMatMul', [f([1, 2, 3, 4], 2, 1, 2), f([1, 1, 2, 2], 2, 2, 1)], f([3, 14], 2, 1, 1)),
  operator('NonMaxSuppressionV2', [BOXES, SCORES, scalar(3, 'int32'), scalar(0.5)], i([0, 2])),
  operator('NonMaxSuppressionV4', [BOXES, SCORES, scalar(3, 'int32'), scalar(0.5), scalar(0.1)], [i([0, 2, 0]), scalar(2, 'int32')], { pad_to_max_output_size: yes }), // prettier-ignore
  operator('NonMaxSuppressionV5', [BOXES, SCORES, scalar(3, 'int32'), scalar(0.5), scalar(0.1), scalar(0)], [i([0, 2]), f([0.9, 0.7])]),
  operator('LowerBound', [f([0, 3, 9, 9, 10], 1, 5), f([2, 4, 9], 1, 3)], i([1, 2, 2], 1, 3)),
  operator('UpperBound', [f([0, 3, 9, 9, 10], 1, 5), f([2, 4, 9], 1, 3)], i([1, 2, 4], 1, 3)),
  operator('UniqueV2', [f([7, 7, 5, 7]), i([0])], [f([7, 5]), i([0, 0, 1, 0])]),
  operator('Concat', [scalar(1, 'int32'), f([1, 2], 1, 2), f([3], 1, 1)], f([1, 2, 3], 1, 3), { N: int(2) }),
  operator('Gather', [f([1, 2, 3, 4], 2, 2), i([1, 0])], f([3, 4, 1, 2], 2, 2)),
  operator('Reverse', [f([1, 2, 3, 4], 2, 2), b([0, 1])], f([2, 1, 4, 3], 2, 2)),
  operator('Select', [b([1, 0]), f([1, 2]), f([8, 9])], f([1, 9])),
  operator('IdentityN', [f([1, 2]), f([3])], [f([1, 2]), f([3])], { N: int(2) }),
  operator('Ones', [i([2])], f([1, 1]), { T: { type: 'DT_FLOAT' } }),
  operator('Zeros', [i([2])], f([0, 0]), { T: { type: 'DT_FLOAT' } }),
  operator('EnsureShape', [f([1, 2]), i([2])], f([1, 2])),
  operator('DenseBincount', [i([0, 1, 1, 3]), scalar(4, 'int32'), f([])], f([1, 2, 0, 1])),
  operator('ImageProjectiveTransformV3', [f([1, 2, 3, 4], 1, 2, 2, 1), f([1, 0, 1, 0, 1, 0, 0, 0], 1, 8), i([2, 2]), scalar(0)], f([2, 0, 4, 0], 1, 2, 2, 1), { interpolation: text('NEAREST'), fill_mode: text('CONSTANT') }), // prettier-ignore
  operator('SparseSegmentSum', [f([1, 2, 3, 4, 5, 6], 3, 2), i([0, 2, 1]), i([0, 0, 1])], f([6, 8, 3, 4], 2, 2)),
  operator('SparseSegmentMean', [f([1, 2, 3, 4, 5, 6], 3, 2), i([0, 2, 1]), i([0, 0, 1])], f([3, 4, 3, 4], 2, 2)),
  operator('SparseReshape', [i([0, 1, 1, 0], 2, 2), i([2, 2]), i([4, 1])], [i([1, 0, 2, 0], 2, 2), i([4, 1])]),
  operator('SparseFillEmptyRows', [i([0, 1, 2, 0], 2, 2), f([5, 6]), i([3, 2]), scalar(-1)], [i([0, 1, 1, 0, 2, 0], 3, 2), f([5, -1, 6]), b([0, 1, 0]), i([0, 2])]), // prettier-ignore
];
