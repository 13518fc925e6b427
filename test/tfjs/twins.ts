import { changed, type Constant, graphFiles, type GraphNode, placeholder, type TfjsFiles } from './tfjs-files';

// The models of test/onnx/models.ts that TensorFlow.js can have, with the same names, shapes and answers.

type Dtype = NonNullable<Constant['dtype']>;

/** As `linear`. */
export function linearTwin(weights: readonly (readonly number[])[], bias: readonly number[] = []): TfjsFiles {
  const outputs = weights[0]?.length ?? 0;
  const nodes = [
    placeholder('x', [-1, weights.length]),
    { name: 'product', op: 'MatMul', input: ['x', 'weights'] },
    { name: 'y', op: 'AddV2', input: ['product', 'bias'] },
  ];
  return graphFiles(nodes, [
    { name: 'weights', shape: [weights.length, outputs], values: weights.flat() },
    { name: 'bias', shape: [outputs], values: bias.length > 0 ? bias : Array.from({ length: outputs }, () => 0) },
  ]);
}

/** As `twoInputs`. */
export function twoInputsTwin(): TfjsFiles {
  const inputs = ['a', 'b'];
  const nodes = inputs.map((name) => placeholder(name, [-1, 1]));
  return graphFiles([...nodes, { name: 'sum', op: 'AddV2', input: inputs }, { name: 'product', op: 'Mul', input: inputs }]);
}

/** As `nanOutput`. */
export function nanOutputTwin(): TfjsFiles {
  return graphFiles([placeholder('x', [-1, 1]), { name: 'y', op: 'Sqrt', input: ['x'] }]);
}

/** As `withTotal`. */
export function withTotalTwin(): TfjsFiles {
  const sum: GraphNode = { name: 'total', op: 'Sum', input: ['x', 'axes'] };
  const nodes = [placeholder('x', [-1]), { name: 'y', op: 'Identity', input: ['x'] }, sum];
  return graphFiles(nodes, [{ name: 'axes', shape: [1], values: [0], dtype: 'int32' }]);
}

/** As `identity`: -1 in `shape` is a free dimension. */
export function identityTwin(dtype: Dtype, shape: readonly number[], output = 'y'): TfjsFiles {
  const attr = { T: { type: { float32: 'DT_FLOAT', int32: 'DT_INT32', bool: 'DT_BOOL', string: 'DT_STRING' }[dtype] } };
  const declared = { name: 'x:0', dtype: attr.T.type };
  const shaped = { ...declared, name: `${output}:0`, tensorShape: { dim: shape.map((size) => ({ size: String(size) })) } };
  const signature = { inputs: { x: declared }, outputs: { [output]: shaped } };
  return graphFiles([placeholder('x', shape, dtype), { name: output, op: 'Identity', input: ['x'], attr }], [], { signature });
}

/** y = x + step + step …, a number, until it is no longer below the limit: with a step of 0 it never is. */
export function loopTwin(limit: number, step: number): TfjsFiles {
  const number = { dtype: { type: 'DT_FLOAT' }, value: { tensor: { dtype: 'DT_FLOAT', tensorShape: {} } } };
  const part = (name: string, type: string, constant: string, node: GraphNode) => ({
    signature: { name, inputArg: [{ name: 'n', type: 'DT_FLOAT' }], outputArg: [{ name: 'out', type }] },
    nodeDef: [{ name: constant, op: 'Const', attr: number }, node],
    ret: { out: `${node.name}:z:0` },
  });
  const functions = [
    part('below', 'DT_BOOL', 'limit', { name: 'less', op: 'Less', input: ['n', 'limit'] }),
    part('more', 'DT_FLOAT', 'step', { name: 'sum', op: 'AddV2', input: ['n', 'step'] }),
  ];
  const attr = { cond: { func: { name: 'below' } }, body: { func: { name: 'more' } }, T: { list: { type: ['DT_FLOAT'] } } };
  const nodes = [placeholder('x', []), { name: 'y', op: 'StatelessWhile', input: ['x'], attr }];
  const constants = Object.entries({ limit, step }).map(([name, value]) => ({ name, shape: [], values: [value] }));
  // what only functions use is no output of the graph
  const signature = { inputs: { x: { name: 'x:0', dtype: 'DT_FLOAT' } }, outputs: { y: { name: 'y:0', dtype: 'DT_FLOAT' } } };
  return changed(graphFiles(nodes, constants, { signature }), ({ modelTopology }) => Object.assign(modelTopology as object, { library: { function: functions } })); // prettier-ignore
}
