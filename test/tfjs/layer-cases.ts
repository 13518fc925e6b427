import { tensor } from '@tensorflow/tfjs-core';
import { input, layers, model as functional, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { type Cell, convolved, deconvolved, gru, lstm, mean, plus, pooled, sigmoid, simpleRnn, times } from './by-hand';
import { type Block, type CoverageCase, f } from './operator-cases';
import { layersFiles } from './tfjs-files';

type Layer = layers.Layer;

/** @param inputs with a batch of their own @param weights in the order of the layer, flat */
function layer(name: string, make: () => Layer, inputs: readonly Block[], output: Block, ...weights: (readonly number[])[]): CoverageCase {
  const files = async (): Promise<Awaited<ReturnType<typeof layersFiles>>> => {
    const symbols = inputs.map(({ shape }, at) => input({ shape: shape.slice(1), name: `x${at}` }));
    const made = make();
    const model = functional({ inputs: symbols, outputs: made.apply(symbols.length === 1 ? (symbols[0] as SymbolicTensor) : symbols) as SymbolicTensor }); // prettier-ignore
    const shapes = model.getWeights().map((weight) => weight.shape);
    model.setWeights(weights.map((values, at) => tensor([...values], shapes[at])));
    return layersFiles(model);
  };
  return { name, files, inputs, outputs: [output] };
}

/** Numbers that look like nothing: a sine of whole numbers. */
const some = (count: number, seed = 1): number[] =>
  Array.from({ length: count }, (_, at) => Math.round(Math.sin((at + 1) * seed * 1.7) * 1000) / 1000);

const U = [-2.5, -1, -0.3, 0, 0.4, 1, 2.5];
const SELU = [1.0507009873554805, 1.6732632423543772] as const;
const total = U.reduce((sum, x) => sum + Math.exp(x), 0);
const softplus = (x: number): number => Math.log1p(Math.exp(x));
/** GELU is exact, by the error function; its values from a table of the normal distribution computed with 60 terms of the series. */
function exactGelu(x: number): number {
  let [term, sum] = [x / Math.SQRT2, x / Math.SQRT2];
  for (let n = 1; n < 60; n++) {
    term *= -(x * x) / 2 / n;
    sum += term / (2 * n + 1);
  }
  return 0.5 * x * (1 + (2 / Math.sqrt(Math.PI)) * sum);
}
const ACTIVATIONS: Readonly<Record<string, (x: number) => number>> = {
  elu: (x) => (x > 0 ? x : Math.expm1(x)),
  selu: (x) => SELU[0] * (x > 0 ? x : SELU[1] * Math.expm1(x)),
  relu: (x) => Math.max(0, x),
  relu6: (x) => Math.min(6, Math.max(0, x)),
  linear: (x) => x,
  sigmoid,
  hardSigmoid: (x) => Math.min(1, Math.max(0, 0.2 * x + 0.5)),
  softplus,
  softsign: (x) => x / (1 + Math.abs(x)),
  tanh: Math.tanh,
  softmax: (x) => Math.exp(x) / total,
  logSoftmax: (x) => x - Math.log(total),
  gelu: exactGelu,
  mish: (x) => x * Math.tanh(softplus(x)),
  swish: (x) => x * sigmoid(x),
};

const ROW = f(U, 1, 7);
const mapped = (of: (x: number) => number): Block => f(U.map(of), 1, 7);
const A = f([1, -2, 3, 4], 2, 2);
const B = f([5, 6, -7, 8], 2, 2);
const both = (of: (x: number, y: number) => number): Block => f(A.values.map((x, at) => of(x, B.values[at] as number)), 2, 2); // prettier-ignore
const STEPS = [some(2), some(2, 2), some(2, 3)];
const SEQUENCE = f(STEPS.flat(), 1, 3, 2);
const cell = (parts: number): Cell => ({ kernel: some(2 * parts * 2, 3), recurrent: some(2 * parts * 2, 5), bias: some(parts * 2, 7) });
const weightsOf = ({ kernel, recurrent, bias }: Cell): (readonly number[])[] => [kernel, recurrent, bias];
const [ONE, THREE, FOUR] = [cell(1), cell(3), cell(4)];
/** Orthogonal matrices are drawn by operations that the library has only where all of it is loaded. */
const units = { units: 2, recurrentInitializer: 'zeros' } as const;
const lstmUnits = { ...units, recurrentActivation: 'sigmoid' } as const;
const IMAGE = some(4 * 5 * 2);
const CUBE = some(3 * 3 * 3);
const image = f(IMAGE, 1, 4, 5, 2);
const conv = { kernelSize: 3, useBias: false } as const;
const K2 = some(3 * 3 * 2 * 3, 2);
const norm = (x: number, m: number, v: number, scale: number, shift: number): number => ((x - m) / Math.sqrt(v + 1e-3)) * scale + shift;

/** Layers of LayersModels. */
export const LAYER_CASES: readonly CoverageCase[] = [
  ...Object.entries(ACTIVATIONS).map(([activation, of]) =>
    layer(`Activation: ${activation}`, () => layers.activation({ activation: activation as 'relu' }), [ROW], mapped(of)),
  ),
  layer(
    'Dense',
    () => layers.dense({ units: 3 }),
    [f(some(4), 1, 4)],
    f(plus(times(some(4), some(12, 2)), some(3, 3)), 1, 3),
    some(12, 2),
    some(3, 3),
  ),
  layer(
    'Dense of rows in rows',
    () => layers.dense({ units: 2, useBias: false, activation: 'relu' }),
    [f(some(6), 1, 3, 2)],
    f(
      [0, 2, 4].flatMap((at) => times(some(6).slice(at, at + 2), some(4, 2)).map((x) => Math.max(0, x))),
      1,
      3,
      2,
    ),
    some(4, 2),
  ),
  layer(
    'ReLU',
    () => layers.reLU({ maxValue: 2 }),
    [ROW],
    mapped((x) => Math.min(2, Math.max(0, x))),
  ),
  layer(
    'LeakyReLU',
    () => layers.leakyReLU({ alpha: 0.1 }),
    [ROW],
    mapped((x) => (x > 0 ? x : 0.1 * x)),
  ),
  layer(
    'PReLU',
    () => layers.prelu(),
    [ROW],
    mapped((x) => (x > 0 ? x : 0.25 * x)),
    U.map(() => 0.25),
  ),
  layer(
    'ELU',
    () => layers.elu(),
    [ROW],
    mapped((x) => (x > 0 ? x : Math.expm1(x))),
  ),
  layer(
    'ThresholdedReLU',
    () => layers.thresholdedReLU({ theta: 0.5 }),
    [ROW],
    mapped((x) => (x > 0.5 ? x : 0)),
  ),
  layer(
    'Softmax',
    () => layers.softmax(),
    [ROW],
    mapped((x) => Math.exp(x) / total),
  ),
  layer(
    'Rescaling',
    () => layers.rescaling({ scale: 0.5, offset: 1 }),
    [ROW],
    mapped((x) => 0.5 * x + 1),
  ),
  layer('Flatten', () => layers.flatten(), [f(some(6), 1, 3, 2)], f(some(6), 1, 6)),
  layer('Reshape', () => layers.reshape({ targetShape: [2, 3] }), [f(some(6), 1, 3, 2)], f(some(6), 1, 2, 3)),
  layer('Permute', () => layers.permute({ dims: [2, 1] }), [f([1, 2, 3, 4, 5, 6], 1, 3, 2)], f([1, 3, 5, 2, 4, 6], 1, 2, 3)),
  layer('RepeatVector', () => layers.repeatVector({ n: 2 }), [f([1, 2], 1, 2)], f([1, 2, 1, 2], 1, 2, 2)),
  layer('Masking', () => layers.masking({ maskValue: 0 }), [f([1, 2, 0, 0], 1, 2, 2)], f([1, 2, 0, 0], 1, 2, 2)),
  layer(
    'Embedding',
    () => layers.embedding({ inputDim: 3, outputDim: 2 }),
    [f([2, 0], 1, 2)],
    f([5, 6, 1, 2], 1, 2, 2),
    [1, 2, 3, 4, 5, 6],
  ),
  layer('Dropout', () => layers.dropout({ rate: 0.5 }), [ROW], ROW),
  layer('SpatialDropout1D', () => layers.spatialDropout1d({ rate: 0.5 }), [f(some(6), 1, 3, 2)], f(some(6), 1, 3, 2)),
  layer('GaussianNoise', () => layers.gaussianNoise({ stddev: 1 }), [ROW], ROW),
  layer('GaussianDropout', () => layers.gaussianDropout({ rate: 0.5 }), [ROW], ROW),
  layer('AlphaDropout', () => layers.alphaDropout({ rate: 0.5 }), [ROW], ROW),
  layer(
    'Add',
    () => layers.add(),
    [A, B],
    both((x, y) => x + y),
  ),
  layer(
    'Multiply',
    () => layers.multiply(),
    [A, B],
    both((x, y) => x * y),
  ),
  layer(
    'Average',
    () => layers.average(),
    [A, B],
    both((x, y) => (x + y) / 2),
  ),
  layer('Maximum', () => layers.maximum(), [A, B], both(Math.max)),
  layer('Minimum', () => layers.minimum(), [A, B], both(Math.min)),
  layer('Concatenate', () => layers.concatenate(), [A, B], f([1, -2, 5, 6, 3, 4, -7, 8], 2, 4)),
  layer('Dot', () => layers.dot({ axes: 1 }), [A, B], f([-7, 11], 2, 1)),
  layer(
    'BatchNormalization',
    () => layers.batchNormalization(),
    [f([1, 3], 1, 2)],
    f([norm(1, 0.5, 4, 2, 1), norm(3, 1, 9, 3, -1)], 1, 2),
    [2, 3],
    [1, -1],
    [0.5, 1],
    [4, 9],
  ),
  layer(
    'LayerNormalization',
    () => layers.layerNormalization(),
    [f([1, 3], 1, 2)],
    f([norm(1, 2, 1, 2, 1), norm(3, 2, 1, 3, -1)], 1, 2),
    [2, 3],
    [1, -1],
  ),
  layer(
    'Conv1D',
    () => layers.conv1d({ ...conv, filters: 2 }),
    [f(some(12), 1, 6, 2)],
    f(convolved(some(12), some(12, 2), { spatial: [6], kernel: [3], stride: 1 }, 2, 2), 1, 4, 2),
    some(12, 2),
  ),
  layer(
    'Conv2D',
    () => layers.conv2d({ ...conv, filters: 3 }),
    [image],
    f(convolved(IMAGE, K2, { spatial: [4, 5], kernel: [3, 3], stride: 1 }, 2, 3), 1, 2, 3, 3),
    K2,
  ),
  layer(
    'Conv2D: same, strides of 2',
    () => layers.conv2d({ ...conv, filters: 3, strides: 2, padding: 'same' }),
    [image],
    f(convolved(IMAGE, K2, { spatial: [4, 5], kernel: [3, 3], stride: 2, same: true }, 2, 3), 1, 2, 3, 3),
    K2,
  ),
  layer(
    'Conv3D',
    () => layers.conv3d({ filters: 1, kernelSize: 2, useBias: false }),
    [f(CUBE, 1, 3, 3, 3, 1)],
    f(convolved(CUBE, some(8, 2), { spatial: [3, 3, 3], kernel: [2, 2, 2], stride: 1 }, 1, 1), 1, 2, 2, 2, 1),
    some(8, 2),
  ),
  layer(
    'Conv2DTranspose',
    () => layers.conv2dTranspose({ ...conv, filters: 3, strides: 2 }),
    [f(some(8), 1, 2, 2, 2)],
    f(deconvolved(some(8), K2, { spatial: [5, 5], kernel: [3, 3], stride: 2 }, 2, 3), 1, 5, 5, 3),
    K2,
  ),
  layer(
    'Conv2DTranspose: same',
    () => layers.conv2dTranspose({ ...conv, filters: 3, strides: 2, padding: 'same' }),
    [f(some(8), 1, 2, 2, 2)],
    f(deconvolved(some(8), K2, { spatial: [4, 4], kernel: [3, 3], stride: 2, same: true }, 2, 3), 1, 4, 4, 3),
    K2,
  ),
  layer(
    'Conv3DTranspose',
    () => layers.conv3dTranspose({ filters: 1, kernelSize: 2, strides: 1, useBias: false }),
    [f(some(8), 1, 2, 2, 2, 1)],
    f(deconvolved(some(8), some(8, 2), { spatial: [3, 3, 3], kernel: [2, 2, 2], stride: 1 }, 1, 1), 1, 3, 3, 3, 1),
    some(8, 2),
  ),
  layer(
    'DepthwiseConv2D',
    () => layers.depthwiseConv2d({ ...conv }),
    [f(IMAGE.slice(0, 20), 1, 4, 5, 1)],
    f(convolved(IMAGE.slice(0, 20), some(9, 2), { spatial: [4, 5], kernel: [3, 3], stride: 1 }, 1, 1), 1, 2, 3, 1),
    some(9, 2),
  ),
  layer(
    'SeparableConv2D',
    () => layers.separableConv2d({ ...conv, filters: 2 }),
    [f(IMAGE.slice(0, 20), 1, 4, 5, 1)],
    f(
      convolved(IMAGE.slice(0, 20), some(9, 2), { spatial: [4, 5], kernel: [3, 3], stride: 1 }, 1, 1).flatMap((x) => [0.5 * x, -2 * x]),
      1,
      2,
      3,
      2,
    ),
    some(9, 2),
    [0.5, -2],
  ),
  layer('Cropping2D', () => layers.cropping2D({ cropping: [[1, 1], [0, 1]] }), [f([1, 2, 3, 4, 5, 6], 1, 3, 2, 1)], f([3], 1, 1, 1, 1)), // prettier-ignore
  layer('UpSampling2D', () => layers.upSampling2d({ size: [1, 2] }), [f([1, 2], 1, 1, 2, 1)], f([1, 1, 2, 2], 1, 1, 4, 1)),
  layer('ZeroPadding2D', () => layers.zeroPadding2d({ padding: [[0, 0], [1, 2]] }), [f([1, 2], 1, 1, 2, 1)], f([0, 1, 2, 0, 0], 1, 1, 5, 1)), // prettier-ignore
  layer(
    'MaxPooling1D',
    () => layers.maxPooling1d({ poolSize: 2 }),
    [f(some(6), 1, 6, 1)],
    f(
      pooled(some(6), { spatial: [6], kernel: [2], stride: 2 }, (all) => Math.max(...all)),
      1,
      3,
      1,
    ),
  ),
  layer(
    'AveragePooling1D',
    () => layers.averagePooling1d({ poolSize: 2 }),
    [f(some(6), 1, 6, 1)],
    f(pooled(some(6), { spatial: [6], kernel: [2], stride: 2 }, mean), 1, 3, 1),
  ),
  layer(
    'MaxPooling2D',
    () => layers.maxPooling2d({ poolSize: 2, padding: 'same' }),
    [f(some(9), 1, 3, 3, 1)],
    f(
      pooled(some(9), { spatial: [3, 3], kernel: [2, 2], stride: 2, same: true }, (all) => Math.max(...all)),
      1,
      2,
      2,
      1,
    ),
  ),
  layer(
    'AveragePooling2D',
    () => layers.averagePooling2d({ poolSize: 2, padding: 'same' }),
    [f(some(9), 1, 3, 3, 1)],
    f(pooled(some(9), { spatial: [3, 3], kernel: [2, 2], stride: 2, same: true }, mean), 1, 2, 2, 1),
  ),
  layer(
    'MaxPooling3D',
    () => layers.maxPooling3d({ poolSize: 2, strides: 1 }),
    [f(CUBE, 1, 3, 3, 3, 1)],
    f(
      pooled(CUBE, { spatial: [3, 3, 3], kernel: [2, 2, 2], stride: 1 }, (all) => Math.max(...all)),
      1,
      2,
      2,
      2,
      1,
    ),
  ),
  layer(
    'AveragePooling3D',
    () => layers.averagePooling3d({ poolSize: 2, strides: 1 }),
    [f(CUBE, 1, 3, 3, 3, 1)],
    f(pooled(CUBE, { spatial: [3, 3, 3], kernel: [2, 2, 2], stride: 1 }, mean), 1, 2, 2, 2, 1),
  ),
  layer('GlobalAveragePooling1D', () => layers.globalAveragePooling1d(), [f([1, 2, 3, 6], 1, 2, 2)], f([2, 4], 1, 2)),
  layer('GlobalMaxPooling1D', () => layers.globalMaxPooling1d(), [f([1, 2, 3, -6], 1, 2, 2)], f([3, 2], 1, 2)),
  layer('GlobalAveragePooling2D', () => layers.globalAveragePooling2d({}), [f([1, 2, 3, 6], 1, 2, 2, 1)], f([3], 1, 1)),
  layer('GlobalMaxPooling2D', () => layers.globalMaxPooling2d({}), [f([1, 2, 3, 6], 1, 2, 2, 1)], f([6], 1, 1)),
  layer('SimpleRNN', () => layers.simpleRNN(units), [SEQUENCE], f(simpleRnn(STEPS, ONE).at(-1) ?? [], 1, 2), ...weightsOf(ONE)),
  layer(
    'RNN of a SimpleRNNCell',
    () => layers.rnn({ cell: layers.simpleRNNCell(units), returnSequences: true }),
    [SEQUENCE],
    f(simpleRnn(STEPS, ONE).flat(), 1, 3, 2),
    ...weightsOf(ONE),
  ),
  layer('LSTM', () => layers.lstm(lstmUnits), [SEQUENCE], f(lstm(STEPS, FOUR).at(-1) ?? [], 1, 2), ...weightsOf(FOUR)),
  layer(
    'LSTM: every step',
    () => layers.lstm({ ...lstmUnits, returnSequences: true }),
    [SEQUENCE],
    f(lstm(STEPS, FOUR).flat(), 1, 3, 2),
    ...weightsOf(FOUR),
  ),
  layer(
    'LSTM: backwards',
    () => layers.lstm({ ...lstmUnits, goBackwards: true }),
    [SEQUENCE],
    f(lstm(STEPS.toReversed(), FOUR).at(-1) ?? [], 1, 2),
    ...weightsOf(FOUR),
  ),
  layer('GRU', () => layers.gru(lstmUnits), [SEQUENCE], f(gru(STEPS, THREE).at(-1) ?? [], 1, 2), ...weightsOf(THREE)),
  layer('RNN of an LSTMCell', () => layers.rnn({ cell: layers.lstmCell(lstmUnits) }), [SEQUENCE], f(lstm(STEPS, FOUR).at(-1) ?? [], 1, 2), ...weightsOf(FOUR)), // prettier-ignore
  layer('RNN of a GRUCell', () => layers.rnn({ cell: layers.gruCell(lstmUnits) }), [SEQUENCE], f(gru(STEPS, THREE).at(-1) ?? [], 1, 2), ...weightsOf(THREE)), // prettier-ignore
  layer(
    'ConvLSTM2D: of one pixel, which is an LSTM',
    () => layers.convLstm2d({ filters: 2, kernelSize: 1, recurrentInitializer: 'zeros', recurrentActivation: 'sigmoid' }),
    [f(STEPS.flat(), 1, 3, 1, 1, 2)],
    f(lstm(STEPS, FOUR).at(-1) ?? [], 1, 1, 1, 2),
    ...weightsOf(FOUR),
  ),
  layer(
    'StackedRNNCells',
    () => layers.rnn({ cell: layers.stackedRNNCells({ cells: [layers.simpleRNNCell(units), layers.simpleRNNCell(units)] }) }),
    [SEQUENCE],
    f(simpleRnn(simpleRnn(STEPS, ONE), ONE).at(-1) ?? [], 1, 2),
    ...weightsOf(ONE),
    ...weightsOf(ONE),
  ),
  layer(
    'Bidirectional',
    () => layers.bidirectional({ layer: layers.lstm(lstmUnits), mergeMode: 'concat' }),
    [SEQUENCE],
    f([...(lstm(STEPS, FOUR).at(-1) ?? []), ...(lstm(STEPS.toReversed(), FOUR).at(-1) ?? [])], 1, 4),
    ...weightsOf(FOUR),
    ...weightsOf(FOUR),
  ),
  layer(
    'TimeDistributed',
    () => layers.timeDistributed({ layer: layers.dense({ units: 2, useBias: false }) }),
    [SEQUENCE],
    f(
      STEPS.flatMap((row) => times(row, some(4, 2))),
      1,
      3,
      2,
    ),
    some(4, 2),
  ),
  layer(
    'a model as a layer, called twice',
    twice,
    [A],
    f(
      rowsOf(A).flatMap((row) => times(times(row, some(4)), some(4))),
      2,
      2,
    ),
    some(4),
  ),
];

function twice(): Layer {
  const [z, x] = [input({ shape: [2] }), input({ shape: [2] })];
  const inner = functional({ inputs: z, outputs: layers.dense({ units: 2, useBias: false }).apply(z) as SymbolicTensor });
  return functional({ inputs: x, outputs: inner.apply(inner.apply(x)) as SymbolicTensor });
}

function rowsOf({ shape: [count = 0], values }: Block): readonly (readonly number[])[] {
  const size = values.length / count;
  return Array.from({ length: count }, (_, at) => values.slice(at * size, (at + 1) * size).map(Number));
}
