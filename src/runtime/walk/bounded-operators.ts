import { DEFAULT_DOMAIN, type Operator } from './operator';

/** Numbers that an operator has as an attribute or as a constant of its graph; undefined where they come from data. */
export interface Known {
  /** of the input at this place; [] where there is none */
  readonly input: (at: number) => readonly number[] | undefined;
  /** of the attribute of this name; undefined where there is none */
  readonly attribute: (name: string) => readonly number[] | undefined;
}

/** What a constant shape may make of one element, and how many times larger constant factors may make a tensor. */
const MAX_ELEMENTS = 1e7;
const MAX_FACTOR = 64;
const MAX_CLASSES = 1e5;
/** Product over the dimensions of one more than what is put at both their ends. */
const MAX_PADDING = 1e5;

const words = (text: string): readonly string[] => text.split(' ');

/** Operators of the default domain whose result's shape follows from shapes and constants, and whose work from both. */
const PLAIN = new Set(
  [
    'Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil Celu Clip',
    'Constant Cos Cosh Div Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Less',
    'LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not Or PRelu Pow Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus',
    'Softsign Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu Where Xor',
    'Gemm MatMul MatMulInteger QLinearMatMul DequantizeLinear DynamicQuantizeLinear QuantizeLinear',
    'BatchNormalization GroupNormalization InstanceNormalization LRN LayerNormalization LpNormalization MeanVarianceNormalization',
    'RMSNormalization Hardmax LogSoftmax Softmax Dropout GlobalAveragePool GlobalLpPool GlobalMaxPool',
    'ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare',
    'ArgMax ArgMin CumSum TopK Concat DepthToSpace Flatten Gather GatherElements GatherND Reshape ReverseSequence Scatter',
    'ScatterElements ScatterND Shape Size Slice SpaceToDepth Split Squeeze Transpose Trilu Unsqueeze EyeLike GRU LSTM RNN',
  ].flatMap(words),
);

/** The same of the domain ai.onnx.ml. */
const PLAIN_ML = new Set(
  [
    'ArrayFeatureExtractor Binarizer CategoryMapper FeatureVectorizer Imputer LabelEncoder LinearClassifier LinearRegressor Normalizer',
    'OneHotEncoder SVMClassifier SVMRegressor Scaler TreeEnsemble TreeEnsembleClassifier TreeEnsembleRegressor ZipMap',
  ].flatMap(words),
);

const FROM_DATA = new Set(
  [
    'Compress NonMaxSuppression NonZero Unique ConcatFromSequence SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert',
    'SequenceLength SequenceMap SplitToSequence Optional OptionalGetElement OptionalHasElement StringNormalizer StringSplit',
    'TfIdfVectorizer CenterCropPad Col2Im MaxUnpool',
  ].flatMap(words),
);

const takesShapeFromData = 'takes its shape from data';
const makesTooMuch = 'makes too much of its input';

type Rule = (known: Known) => string | undefined;

const product = (numbers: readonly number[]): number => numbers.reduce((all, one) => all * Math.abs(one), 1);
const upTo =
  (most: number, size = product) =>
  (numbers: readonly number[] | undefined): string | undefined => {
    if (numbers === undefined) return takesShapeFromData;
    return size(numbers) <= most ? undefined : makesTooMuch; // NaN is not
  };

/** Pads are [begins, ends]: of n dimensions 2 n numbers; those below 0 cut off. */
const paddingOf = (pads: readonly number[]): number => {
  const axes = Math.ceil(pads.length / 2);
  const at = (place: number): number => Math.max(0, pads[place] ?? 0);
  return pads.slice(0, axes).reduce((all, _, axis) => all * (1 + at(axis) + at(axis + axes)), 1);
};

const elements = upTo(MAX_ELEMENTS);
const factor = upTo(MAX_FACTOR);
const padding = upTo(MAX_PADDING, paddingOf);
const rangeLength = ([start = 0, limit = 0, delta = 0]: readonly number[]): number => (limit - start) / delta;

const window: Rule = ({ attribute }) => padding(attribute('pads') ?? []) ?? upTo(MAX_PADDING)(attribute('kernel_shape') ?? []);

const resize: Rule = ({ input, attribute }) => {
  const [one, two, three] = [input(1), input(2), input(3)];
  if (attribute('keep_aspect_ratio_policy') !== undefined) return takesShapeFromData;
  if (three === undefined || three.length > 0) return elements(three);
  return two === undefined || two.length > 0 ? factor(two) : factor(one);
};

/** Operators of the default domain that are bounded by constants only: the rule says why one is not. */
const RULES: Readonly<Record<string, Rule>> = {
  AveragePool: window,
  Conv: window,
  ConvInteger: window,
  ConvTranspose: ({ attribute }) =>
    window({ input: () => [], attribute }) ??
    factor([...(attribute('strides') ?? []), ...(attribute('dilations') ?? [])]) ??
    padding((attribute('output_padding') ?? []).flatMap((size) => [size, 0])) ??
    elements(attribute('output_shape') ?? []),
  ConstantOfShape: ({ input }) => elements(input(0)),
  Expand: ({ input }) => elements(input(1)),
  LpPool: window,
  MaxPool: window,
  OneHot: ({ input }) => upTo(MAX_CLASSES)(input(1)),
  Pad: ({ input, attribute }) => padding(attribute('pads') ?? attribute('paddings') ?? input(1)),
  QLinearConv: window,
  Range: ({ input }) => {
    const parts = [input(0), input(1), input(2)];
    return parts.includes(undefined) ? takesShapeFromData : upTo(MAX_ELEMENTS, rangeLength)(parts.map((part) => part?.[0] ?? Number.NaN));
  },
  Resize: resize,
  Tile: ({ input }) => factor(input(1)),
  Upsample: ({ input, attribute }) => factor(attribute('scales') ?? input(1)),
};

/**
 * Why the work and the memory of an operator are not bounded by the shapes of its inputs, as a clause: 'the operator Expand takes its
 * shape from data'. @returns undefined where they are
 */
export function unboundedReason({ domain, name, title }: Operator, known: Known): string | undefined {
  const plain = domain === DEFAULT_DOMAIN ? PLAIN : domain === 'ai.onnx.ml' ? PLAIN_ML : undefined;
  if (plain?.has(name)) return undefined;
  if (domain === DEFAULT_DOMAIN) {
    const rule = Object.hasOwn(RULES, name) ? RULES[name] : undefined;
    const reason = rule ? rule(known) : FROM_DATA.has(name) ? takesShapeFromData : undefined;
    if (rule === undefined && reason === undefined) return `it has the operator ${title}`;
    return reason === undefined ? undefined : `the operator ${title} ${reason}`;
  }
  return `it has the operator ${title}`;
}
