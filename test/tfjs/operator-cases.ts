import { graphFiles, placeholder, type TfjsFiles } from './tfjs-files';

/** Numbers of one datatype in a shape. */
export interface Block {
  readonly shape: readonly number[];
  readonly values: readonly number[];
  readonly dtype: 'float32' | 'int32' | 'bool';
}

/** A model, a question, and the answer that was worked out without the library. */
export interface CoverageCase {
  readonly name: string;
  readonly files: () => TfjsFiles | Promise<TfjsFiles>;
  readonly inputs: readonly Block[];
  readonly outputs: readonly Block[];
}

const block = (values: readonly number[], shape: readonly number[], dtype: Block['dtype']): Block => ({ shape, values, dtype });
export const f = (values: readonly number[], ...shape: number[]): Block =>
  block(values, shape.length > 0 ? shape : [values.length], 'float32');
export const i = (values: readonly number[], ...shape: number[]): Block =>
  block(values, shape.length > 0 ? shape : [values.length], 'int32');
export const b = (values: readonly number[], ...shape: number[]): Block =>
  block(values, shape.length > 0 ? shape : [values.length], 'bool');
export const scalar = (value: number, dtype: Block['dtype'] = 'float32'): Block => block([value], [], dtype);
export const int = (value: number): object => ({ i: String(value) });
export const ints = (...values: number[]): object => ({ list: { i: values.map(String) } });
export const text = (value: string): object => ({ s: Buffer.from(value).toString('base64') });
export const yes = { b: true };

/** A model of one node. @param outputs all of the node's, in their order */
export function operator(
  op: string,
  inputs: readonly Block[],
  outputs: Block | readonly Block[],
  attr: Readonly<Record<string, object>> = {},
  name = op,
): CoverageCase {
  const expected = [outputs].flat() as readonly Block[];
  const names = inputs.map((_, at) => `x${at}`);
  const found = inputs.findIndex(({ dtype }) => dtype !== 'int32');
  const asked = inputs[Math.max(0, found)] as Block; // the others are its constants, as in models that somebody trained
  const node = placeholder(names[inputs.indexOf(asked)] as string, asked.shape, asked.dtype);
  const constants = inputs.flatMap((each, at) => (each === asked ? [] : [{ name: names[at] as string, ...each }]));
  // an output of its own for each that the node gives
  const ends = expected.map((_, at) => ({ name: `y${at}`, op: 'Identity', input: [at === 0 ? 'node' : `node:${at}`] }));
  const files = (): TfjsFiles => graphFiles([node, { name: 'node', op, input: names, attr }, ...ends], constants);
  return { name, files, inputs: [asked], outputs: expected };
}

const U = [-2.5, -1, -0.3, 0, 0.4, 1, 2.5];
const INNER = [-0.9, -0.3, 0, 0.4, 0.9];
const POSITIVE = [0.1, 0.5, 1, 2, 7];
const SELU = [1.0507009873554805, 1.6732632423543772] as const;
const even = (x: number): number => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));
/** Abramowitz and Stegun 7.1.26 is too rough: the series of erf. */
function erf(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; n < 60; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const UNARY: readonly (readonly [
  op: string,
  of: (x: number) => number,
  domain?: readonly number[],
  attr?: Readonly<Record<string, object>>,
])[] = [
  ['Abs', Math.abs],
  ['Acos', Math.acos, INNER],
  ['Acosh', Math.acosh, [1, 1.5, 4]],
  ['Asin', Math.asin, INNER],
  ['Asinh', Math.asinh],
  ['Atan', Math.atan],
  ['Atanh', Math.atanh, INNER],
  ['Ceil', Math.ceil],
  ['Cos', Math.cos],
  ['Cosh', Math.cosh],
  ['Elu', (x) => (x > 0 ? x : Math.expm1(x))],
  ['Erf', erf],
  ['Exp', Math.exp],
  ['Expm1', Math.expm1],
  ['Floor', Math.floor],
  ['Identity', (x) => x],
  ['LeakyRelu', (x) => (x > 0 ? x : 0.3 * x), U, { alpha: { f: 0.3 } }],
  ['Log', Math.log, POSITIVE],
  ['Log1p', Math.log1p, POSITIVE],
  ['Neg', (x) => -x],
  ['OnesLike', () => 1],
  ['Reciprocal', (x) => 1 / x, POSITIVE],
  ['Relu', (x) => Math.max(0, x)],
  ['Relu6', (x) => Math.min(6, Math.max(0, x)), [-1, 3, 7]],
  ['Round', even, [-2.5, -1.5, -0.4, 0.5, 1.5, 2.6]],
  ['Rsqrt', (x) => 1 / Math.sqrt(x), POSITIVE],
  ['Selu', (x) => SELU[0] * (x > 0 ? x : SELU[1] * Math.expm1(x))],
  ['Sigmoid', (x) => 1 / (1 + Math.exp(-x))],
  ['Sign', Math.sign],
  ['Sin', Math.sin],
  ['Sinh', Math.sinh],
  ['Snapshot', (x) => x],
  ['Softplus', (x) => Math.log1p(Math.exp(x))],
  ['Sqrt', Math.sqrt, POSITIVE],
  ['Square', (x) => x * x],
  ['StopGradient', (x) => x],
  ['Tan', Math.tan, INNER],
  ['Tanh', Math.tanh],
  ['ZerosLike', () => 0],
];

const [LEFT, RIGHT] = [
  [-7, -3, 2.5, 4, 9],
  [2, -2, 2.5, 3, -4],
] as const;
const BINARY: readonly (readonly [op: string, of: (x: number, y: number) => number])[] = [
  ['Add', (x, y) => x + y],
  ['AddV2', (x, y) => x + y],
  ['Atan2', Math.atan2],
  ['Div', (x, y) => x / y],
  ['DivNoNan', (x, y) => x / y],
  ['FloorDiv', (x, y) => Math.floor(x / y)],
  ['FloorMod', (x, y) => x - y * Math.floor(x / y)],
  ['Maximum', Math.max],
  ['Minimum', Math.min],
  ['Mod', (x, y) => x - y * Math.floor(x / y)],
  ['Mul', (x, y) => x * y],
  ['RealDiv', (x, y) => x / y],
  ['SquaredDifference', (x, y) => (x - y) ** 2],
  ['Sub', (x, y) => x - y],
];
const COMPARED: readonly (readonly [op: string, of: (x: number, y: number) => boolean])[] = [
  ['Equal', (x, y) => x === y],
  ['Greater', (x, y) => x > y],
  ['GreaterEqual', (x, y) => x >= y],
  ['Less', (x, y) => x < y],
  ['LessEqual', (x, y) => x <= y],
  ['NotEqual', (x, y) => x !== y],
];

const M = f([1, 2, 3, 4, 5, 6], 2, 3);
const AXIS = i([1]);
const IMAGE = f([1, 2, 3, 4, 5, 6, 7, 8, 9], 1, 3, 3, 1);
const NHWC = { data_format: text('NHWC'), strides: ints(1, 1, 1, 1), padding: text('VALID') };
const POOL = { ...NHWC, ksize: ints(1, 2, 2, 1) };
const SOFT = [Math.E, Math.E ** 2, Math.E ** 3].map((x) => x / (Math.E + Math.E ** 2 + Math.E ** 3));

/** Operators of GraphModels. */
export const OPERATOR_CASES: readonly CoverageCase[] = [
  ...UNARY.map(([op, of, domain = U, attr = {}]) => operator(op, [f(domain)], f(domain.map(of)), attr)),
  ...BINARY.map(([op, of]) => operator(op, [f(LEFT), f(RIGHT)], f(LEFT.map((x, at) => of(x, RIGHT[at] as number))))),
  ...COMPARED.map(([op, of]) => operator(op, [f(LEFT), f(RIGHT)], b(LEFT.map((x, at) => Number(of(x, RIGHT[at] as number)))))),
  operator('DivNoNan', [f([1, 2]), f([0, 4])], f([0, 0.5]), {}, 'DivNoNan by zero'),
  operator('FloorDiv', [i([-7, 7]), i([2, -2])], i([-4, -4]), {}, 'FloorDiv of negative whole numbers'),
  operator('Pow', [f([2, 3, 4]), f([3, 2, 0.5])], f([8, 9, 2])),
  operator('AddN', [f([1, 2]), f([3, 4]), f([5, 6])], f([9, 12])),
  operator('BiasAdd', [M, f([10, 20, 30])], f([11, 22, 33, 14, 25, 36], 2, 3)),
  operator('IsFinite', [f([1, Number.POSITIVE_INFINITY, Number.NaN])], b([1, 0, 0])),
  operator('IsInf', [f([1, Number.POSITIVE_INFINITY, Number.NaN])], b([0, 1, 0])),
  operator('IsNan', [f([1, Number.POSITIVE_INFINITY, Number.NaN])], b([0, 0, 1])),
  operator('LogicalAnd', [b([1, 1, 0]), b([1, 0, 0])], b([1, 0, 0])),
  operator('LogicalNot', [b([1, 0])], b([0, 1])),
  operator('LogicalOr', [b([1, 1, 0]), b([1, 0, 0])], b([1, 1, 0])),
  operator('ClipByValue', [f([-3, 0.5, 9]), scalar(-1), scalar(2)], f([-1, 0.5, 2])),
  operator('Prelu', [f([-2, 3], 1, 2), f([0.5, 0.5])], f([-1, 3], 1, 2)),
  operator('MatMul', [M, f([1, 0, 0, 1, 1, 1], 3, 2)], f([4, 5, 10, 11], 2, 2)),
  operator('BatchMatMulV2', [f([1, 2, 3, 4], 2, 1, 2), f([1, 1, 2, 2], 2, 2, 1)], f([3, 14], 2, 1, 1)),
  operator('Transpose', [M, i([1, 0])], f([1, 4, 2, 5, 3, 6], 3, 2)),
  operator('Einsum', [M, f([1, 1, 1])], f([6, 15]), { equation: text('ij,j->i'), N: int(2) }),
  operator('Sum', [M, AXIS], f([6, 15])),
  operator('Mean', [M, AXIS], f([2, 5])),
  operator('Max', [M, AXIS], f([3, 6])),
  operator('Min', [M, AXIS], f([1, 4])),
  operator('Prod', [M, AXIS], f([6, 120])),
  operator('Sum', [M, AXIS], f([6, 15], 2, 1), { keep_dims: yes }, 'Sum that keeps its dimensions'),
  operator('EuclideanNorm', [f([3, 4, 6, 8], 2, 2), AXIS], f([5, 10])),
  operator('All', [b([1, 1, 0, 1], 2, 2), AXIS], b([1, 0])),
  operator('Any', [b([0, 0, 0, 1], 2, 2), AXIS], b([0, 1])),
  operator('ArgMax', [M, scalar(1, 'int32')], i([2, 2])),
  operator('ArgMin', [M, scalar(0, 'int32')], i([0, 0, 0])),
  operator('Cumsum', [f([1, 2, 3]), scalar(0, 'int32')], f([1, 3, 6])),
  operator('Cumprod', [f([1, 2, 3]), scalar(0, 'int32')], f([1, 2, 6])),
  operator('Bincount', [i([0, 1, 1, 3]), scalar(4, 'int32'), f([])], f([1, 2, 0, 1])),
  operator('Softmax', [f([1, 2, 3], 1, 3)], f(SOFT, 1, 3)),
  operator('LogSoftmax', [f([1, 2, 3], 1, 3)], f(SOFT.map(Math.log), 1, 3)),
  operator('ConcatV2', [f([1, 2], 1, 2), f([3], 1, 1), scalar(1, 'int32')], f([1, 2, 3], 1, 3), { N: int(2) }),
  operator('Pack', [f([1, 2]), f([3, 4])], f([1, 3, 2, 4], 2, 2), { axis: int(1) }),
  operator('Unpack', [f([1, 2, 3, 4], 2, 2)], [f([1, 3]), f([2, 4])], { axis: int(1), num: int(2) }),
  operator('Split', [scalar(1, 'int32'), f([1, 2, 3, 4], 2, 2)], [f([1, 3], 2, 1), f([2, 4], 2, 1)], { num_split: int(2) }),
  operator('SplitV', [M, i([1, 2]), scalar(1, 'int32')], [f([1, 4], 2, 1), f([2, 3, 5, 6], 2, 2)]),
  operator('Slice', [M, i([0, 1]), i([2, 2])], f([2, 3, 5, 6], 2, 2)),
  operator('StridedSlice', [M, i([0, 2]), i([2, -4]), i([1, -2])], f([3, 1, 6, 4], 2, 2)),
  operator('GatherV2', [M, i([2, 0]), scalar(1, 'int32')], f([3, 1, 6, 4], 2, 2)),
  operator('GatherNd', [M, i([1, 2, 0, 0], 2, 2)], f([6, 1])),
  operator('ScatterNd', [i([1, 3], 2, 1), f([9, 8]), i([4])], f([0, 9, 0, 8])),
  operator('TensorScatterUpdate', [f([1, 2, 3]), i([1], 1, 1), f([9])], f([1, 9, 3])),
  operator('SparseToDense', [i([1], 1, 1), i([3]), f([5]), scalar(0)], f([0, 5, 0])),
  operator('Tile', [f([1, 2]), i([2])], f([1, 2, 1, 2])),
  operator('ReverseV2', [M, i([1])], f([3, 2, 1, 6, 5, 4], 2, 3)),
  operator('Reshape', [M, i([3, -1])], f([1, 2, 3, 4, 5, 6], 3, 2)),
  operator('Squeeze', [f([1, 2], 1, 2)], f([1, 2]), { squeeze_dims: ints(0) }),
  operator('ExpandDims', [f([1, 2]), scalar(0, 'int32')], f([1, 2], 1, 2)),
  operator('BroadcastTo', [f([1, 2]), i([2, 2])], f([1, 2, 1, 2], 2, 2)),
  operator('Cast', [f([1.7, -1.7, 0])], i([1, -1, 0]), { DstT: { type: 'DT_INT32' } }),
  operator('Pad', [f([1, 2]), i([1, 2], 1, 2)], f([0, 1, 2, 0, 0])),
  operator('PadV2', [f([1, 2]), i([1, 0], 1, 2), scalar(9)], f([9, 1, 2])),
  operator('MirrorPad', [f([1, 2, 3]), i([2, 1], 1, 2)], f([3, 2, 1, 2, 3, 2]), { mode: text('REFLECT') }),
  operator('DepthToSpace', [f([1, 2, 3, 4], 1, 1, 1, 4)], f([1, 2, 3, 4], 1, 2, 2, 1), { block_size: int(2), data_format: text('NHWC') }),
  operator('SpaceToBatchND', [f([1, 2, 3, 4], 1, 2, 2, 1), i([2, 2]), i([0, 0, 0, 0], 2, 2)], f([1, 2, 3, 4], 4, 1, 1, 1)),
  operator('BatchToSpaceND', [f([1, 2, 3, 4], 4, 1, 1, 1), i([2, 2]), i([0, 0, 0, 0], 2, 2)], f([1, 2, 3, 4], 1, 2, 2, 1)),
  operator('Fill', [i([2]), scalar(7)], f([7, 7])),
  operator('Range', [scalar(1), scalar(7), scalar(2)], f([1, 3, 5])),
  operator('LinSpace', [scalar(0), scalar(1), scalar(3, 'int32')], f([0, 0.5, 1])),
  operator('OneHot', [i([2, 0]), scalar(3, 'int32'), scalar(5), scalar(-1)], f([-1, -1, 5, 5, -1, -1], 2, 3), { T: { type: 'DT_FLOAT' } }),
  operator('Shape', [M], i([2, 3])),
  operator('Rank', [M], scalar(2, 'int32')),
  operator('Size', [M], scalar(6, 'int32')),
  operator('SelectV2', [b([1, 0]), f([1, 2]), f([8, 9])], f([1, 9])),
  operator('Where', [b([0, 1, 1])], i([1, 2], 2, 1)),
  operator('ListDiff', [f([1, 2, 3, 4]), f([2, 4])], [f([1, 3]), i([0, 2])]),
  operator('TopKV2', [f([3, 9, 5]), scalar(2, 'int32')], [f([9, 5]), i([1, 2])], { sorted: yes }),
  operator('Unique', [f([7, 7, 5, 7])], [f([7, 5]), i([0, 0, 1, 0])]),
  operator('Conv2D', [IMAGE, f([1, 0, 0, 1], 2, 2, 1, 1)], f([6, 8, 12, 14], 1, 2, 2, 1), { ...NHWC, dilations: ints(1, 1, 1, 1) }),
  operator('DepthwiseConv2dNative', [IMAGE, f([1, 0, 0, 1], 2, 2, 1, 1)], f([6, 8, 12, 14], 1, 2, 2, 1), {
    ...NHWC,
    dilations: ints(1, 1, 1, 1),
  }),
  operator('Conv2DBackpropInput', [i([1, 2, 2, 1]), f([1, 2, 3, 4], 2, 2, 1, 1), f([5], 1, 1, 1, 1)], f([5, 10, 15, 20], 1, 2, 2, 1), NHWC),
  operator('MaxPool', [IMAGE], f([5, 6, 8, 9], 1, 2, 2, 1), POOL),
  operator('AvgPool', [IMAGE], f([3, 4, 6, 7], 1, 2, 2, 1), POOL),
  operator('FusedBatchNormV3', [f([1, 3], 1, 1, 1, 2), f([2, 2]), f([1, 0]), f([0, 1]), f([1, 4])], f([3, 2], 1, 1, 1, 2), {
    epsilon: { f: 1e-9 },
    data_format: text('NHWC'),
  }),
  operator('LRN', [f([1, 2], 1, 1, 1, 2)], f([1 / 6, 2 / 6], 1, 1, 1, 2), {
    depth_radius: int(1),
    bias: { f: 1 },
    alpha: { f: 1 },
    beta: { f: 1 },
  }),
  operator('ResizeNearestNeighbor', [f([1, 2], 1, 1, 2, 1), i([1, 4])], f([1, 1, 2, 2], 1, 1, 4, 1)),
  operator('ResizeBilinear', [f([1, 3], 1, 1, 2, 1), i([1, 4])], f([1, 2, 3, 3], 1, 1, 4, 1)),
  operator('CropAndResize', [IMAGE, f([0, 0, 1, 1], 1, 4), i([0]), i([2, 2])], f([1, 3, 7, 9], 1, 2, 2, 1), {
    method: text('bilinear'),
    extrapolation_value: { f: 0 },
  }),
  operator(
    'NonMaxSuppressionV3',
    [f([0, 0, 1, 1, 0, 0, 1, 0.9, 2, 2, 3, 3], 3, 4), f([0.9, 0.8, 0.7]), scalar(3, 'int32'), scalar(0.5), scalar(0.1)],
    i([0, 2]),
  ),
];
