import { type Attribute, type Dim, DTYPE, floats, int64s, type Node, onnxModel, type Tensor, type ValueInfo } from './onnx-writer';

/** `endlessLoop`, `slowLoop` and `memoryBomb` do harm when any row of x is above this, and answer y = x at once otherwise. */
export const HARM_ABOVE = 0.5;

const float = (name: string, dims: readonly Dim[]): ValueInfo => ({ name, dtype: DTYPE.float32, dims });
const int64 = (name: string, dims: readonly Dim[]): ValueInfo => ({ name, dtype: DTYPE.int64, dims });

const node = (op: string, inputs: readonly string[], outputs: readonly string[], attributes: Record<string, Attribute> = {}): Node => {
  return { op, inputs, outputs, attributes };
};

const CLASSIFIER = {
  nodes: [
    node('MatMul', ['x', 'weights'], ['scores']),
    node('ArgMax', ['scores'], ['label'], { axis: { int: 1 }, keepdims: { int: 0 } }),
    node('Softmax', ['scores'], ['probabilities'], { axis: { int: 1 } }),
  ],
  initializers: [floats('weights', [2, 3], [1, -1, 0, 0, 1, -1])], // scores: x0, x1 - x0, -x1
} as const;

/** Makes the boolean scalar `harm`: is any row of x above HARM_ABOVE? False for no rows and for NaN. */
const HARM = {
  nodes: [
    node('Greater', ['x', 'limit'], ['above']),
    node('Cast', ['above'], ['ones'], { to: { int: DTYPE.float32 } }),
    node('ReduceSum', ['ones'], ['count'], { keepdims: { int: 0 } }),
    node('Cast', ['count'], ['harm'], { to: { int: DTYPE.bool } }),
  ],
  initializers: [floats('limit', [], [HARM_ABOVE])],
} as const;

/** y = x . weights + bias; x FP32 [free, features], y FP32 [free, outputs], `weights` one row per feature; without bias: zeros. */
export function linear(weights: readonly (readonly number[])[], bias: readonly number[] = []): Buffer {
  const outputs = weights[0]?.length ?? 0;
  const w = floats('weights', [weights.length, outputs], weights.flat());
  return linearWith(w, floats('bias', [outputs], bias.length > 0 ? bias : Array<number>(outputs).fill(0)));
}

/** Like `linear` with 4 features and 1 output, its weights in a file `secret.bin` beside the model or in the working folder. */
export function externalData(): Buffer {
  return linearWith({ name: 'weights', dtype: DTYPE.float32, dims: [4, 1], data: { external: 'secret.bin' } }, floats('bias', [1], [0]));
}

function linearWith(weights: Tensor, bias: Tensor): Buffer {
  const [features = 0, outputs = 0] = weights.dims;
  return onnxModel({
    graph: {
      name: 'linear',
      inputs: [float('x', [null, features])],
      outputs: [float('y', [null, outputs])],
      nodes: [node('MatMul', ['x', 'weights'], ['product']), node('Add', ['product', 'bias'], ['y'])],
      initializers: [weights, bias],
    },
  });
}

/** y = x, for any datatype number (`DTYPE`) and any dims. */
export function identity(datatype: number, dims: readonly Dim[], y = 'y'): Buffer {
  const value = (name: string) => ({ name, dtype: datatype, dims });
  return onnxModel({ graph: { name: 'identity', inputs: [value('x')], outputs: [value(y)], nodes: [node('Identity', ['x'], [y])] } });
}

/** x FP32 [N] to y = x and total, the sum of x, a scalar. */
export function withTotal(): Buffer {
  return onnxModel({
    graph: {
      name: 'with-total',
      inputs: [float('x', ['N'])],
      outputs: [float('y', ['N']), float('total', [])],
      nodes: [node('Identity', ['x'], ['y']), node('ReduceSum', ['x'], ['total'], { keepdims: { int: 0 } })],
    },
  });
}

/** x FP32 [N, 2] to label INT64 [N] (0, 1 or 2; [1,0] is 0, [0,1] is 1, [-1,-1] is 2) and probabilities FP32 [N, 3]. */
export function classifierWithLabels(): Buffer {
  const outputs = [int64('label', ['N']), float('probabilities', ['N', 3])];
  return onnxModel({ graph: { name: 'classifier', inputs: [float('x', ['N', 2])], outputs, ...CLASSIFIER } });
}

/** As scikit-learn exports: x FP32 [N, 2] to label INT64 [N] and output_probability, a sequence of maps from the label to FP32 (ZipMap). */
export function mapOutput(labels: readonly number[] | readonly string[] = [0, 1, 2]): Buffer {
  const named = labels.every((label) => typeof label === 'string');
  const keys: Record<string, Attribute> = named
    ? { classlabels_strings: { strings: labels } }
    : { classlabels_int64s: { ints: labels.map(Number) } };
  const zip = { ...node('ZipMap', ['probabilities'], ['output_probability'], keys), domain: 'ai.onnx.ml' };
  return onnxModel({
    domains: { 'ai.onnx.ml': 3 },
    graph: {
      name: 'classifier-with-maps',
      inputs: [float('x', [null, 2])],
      outputs: [int64('label', [null]), { name: 'output_probability', dtype: DTYPE.float32, mapKey: named ? DTYPE.string : DTYPE.int64 }],
      nodes: [...CLASSIFIER.nodes, zip],
      initializers: CLASSIFIER.initializers,
    },
  });
}

/** x FP32 [N, 2] to two sequences of maps, neither of which can be a tensor. */
export function twoMapOutputs(): Buffer {
  const keys: Record<string, Attribute> = { classlabels_int64s: { ints: [0, 1, 2] } };
  const zip = (output: string) => ({ ...node('ZipMap', ['probabilities'], [output], keys), domain: 'ai.onnx.ml' });
  const maps = (name: string) => ({ name, dtype: DTYPE.float32, mapKey: DTYPE.int64 });
  return onnxModel({
    domains: { 'ai.onnx.ml': 3 },
    graph: {
      name: 'classifier-with-two-maps',
      inputs: [float('x', [null, 2])],
      outputs: [maps('first'), maps('second')],
      nodes: [...CLASSIFIER.nodes, zip('first'), zip('second')],
      initializers: CLASSIFIER.initializers,
    },
  });
}

/** a and b, FP32 [N, 1] each, to sum and product, FP32 [N, 1] each. */
export function twoInputs(): Buffer {
  const column = (name: string) => float(name, ['N', 1]);
  return onnxModel({
    graph: {
      name: 'two-inputs',
      inputs: [column('a'), column('b')],
      outputs: [column('sum'), column('product')],
      nodes: [node('Add', ['a', 'b'], ['sum']), node('Mul', ['a', 'b'], ['product'])],
    },
  });
}

/** y = x, FP32 [N, 1]; never returns when a row of x is above HARM_ABOVE: the process must be killed. */
export function endlessLoop(): Buffer {
  return loop('', []);
}

/** y = x, FP32 [N, 1]; runs `iterations` turns (some 0.5 us each) when a row of x is above HARM_ABOVE, none otherwise. */
export function slowLoop(iterations: number): Buffer {
  return loop('turns', [int64s('turns', [], [iterations])]);
}

/** Like `slowLoop`, with the outputs y and z, which are the same. */
export function slowTwins(iterations: number): Buffer {
  return loop('turns', [int64s('turns', [], [iterations])], ['z']);
}

/** @param turns name of the trip count; '' for none @param twins outputs that are what y is */
function loop(turns: string, initializers: readonly Tensor[], twins: readonly string[] = []): Buffer {
  const condition = (name: string): ValueInfo => ({ name, dtype: DTYPE.bool, dims: [] });
  const body = {
    name: 'body',
    inputs: [int64('turn', []), condition('going'), float('before', ['N', 1])],
    outputs: [condition('on'), float('after', ['N', 1])],
    nodes: [node('Identity', ['going'], ['on']), node('Identity', ['before'], ['after'])],
  };
  return onnxModel({
    graph: {
      name: 'loop',
      inputs: [float('x', ['N', 1])],
      outputs: ['y', ...twins].map((name) => float(name, ['N', 1])),
      nodes: [
        ...HARM.nodes,
        node('Loop', [turns, 'harm', 'x'], ['y'], { body: { graph: body } }),
        ...twins.map((name) => node('Identity', ['y'], [name])),
      ],
      initializers: [...HARM.initializers, ...initializers],
    },
  });
}

/** y = x, FP32 [N, 1]; fills this many GiB of memory on the way when a row of x is above HARM_ABOVE, 4 bytes otherwise. */
export function memoryBomb(gibibytes = 8): Buffer {
  return onnxModel({
    graph: {
      name: 'memory-bomb',
      inputs: [float('x', ['N', 1])],
      outputs: [float('y', ['N', 1])],
      nodes: [
        ...HARM.nodes,
        node('Cast', ['harm'], ['zero-or-one'], { to: { int: DTYPE.int64 } }),
        node('Mul', ['zero-or-one', 'many'], ['none-or-many']),
        node('Add', ['none-or-many', 'first'], ['length']),
        node('Expand', ['one', 'length'], ['bomb']),
        node('Gather', ['bomb', 'zero'], ['still-one']),
        node('Mul', ['x', 'still-one'], ['y']),
      ],
      initializers: [
        ...HARM.initializers,
        int64s('many', [1], [Math.round(gibibytes * 2 ** 28)]),
        int64s('first', [1], [1]),
        int64s('zero', [], [0]),
        floats('one', [1], [1]),
      ],
    },
  });
}

/** y = x0 + 2 x1 + 3 x2 + 4 x3; x FP32 [free, 4], y [free, 1]; carries about this many bytes of noise that the engine must keep. */
export function padded(bytes: number): Buffer {
  const noise = new Float32Array(Math.max(1, Math.round(bytes / 4)));
  const { imul } = Math; // a global is slow to reach inside jest
  let seed = 1;
  for (let i = 0; i < noise.length; i++) {
    seed = (imul(seed, 1664525) + 1013904223) >>> 0;
    noise[i] = seed / 2 ** 32;
  }
  return onnxModel({
    graph: {
      name: 'padded',
      inputs: [float('x', [null, 4])],
      outputs: [float('y', [null, 1])],
      nodes: [
        // x > x is false everywhere, which the engine cannot know: so it must keep all the noise, of which element 0 is read
        node('Greater', ['x', 'x'], ['false']),
        node('Cast', ['false'], ['index'], { to: { int: DTYPE.int64 } }),
        node('Gather', ['noise', 'index'], ['picked']),
        node('ReduceSum', ['picked', 'columns'], ['picked-sum']),
        node('Mul', ['picked-sum', 'nothing'], ['zeros']),
        node('MatMul', ['x', 'weights'], ['product']),
        node('Add', ['product', 'zeros'], ['y']),
      ],
      initializers: [
        floats('noise', [noise.length], noise),
        int64s('columns', [1], [1]),
        floats('nothing', [], [0]),
        floats('weights', [4, 1], [1, 2, 3, 4]),
      ],
    },
  });
}

/** x INT64 [N] to y FP32 [N]: 0, 1, 2 give 10, 20, 30; from 3 upwards (and below -3) the run throws. */
export function failing(): Buffer {
  return onnxModel({
    graph: {
      name: 'failing',
      inputs: [int64('x', ['N'])],
      outputs: [float('y', ['N'])],
      nodes: [node('Gather', ['table', 'x'], ['y'])],
      initializers: [floats('table', [3], [10, 20, 30])],
    },
  });
}

/** y = square root of x, FP32 [N, 1]: NaN where x is negative. */
export function nanOutput(): Buffer {
  return onnxModel({
    graph: { name: 'root', inputs: [float('x', ['N', 1])], outputs: [float('y', ['N', 1])], nodes: [node('Sqrt', ['x'], ['y'])] },
  });
}
