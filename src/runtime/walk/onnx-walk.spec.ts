import * as models from '../../../test/onnx/models';
import { DTYPE, floats, type Graph, onnxModel, type ValueInfo } from '../../../test/onnx/onnx-writer';
import { int, message, node, rawModel, tensor, text, vector } from '../../../test/onnx/raw-onnx';
import { OnnxRefused } from './onnx-refused';
import { walkOnnx } from './onnx-walk';
import { cutZipMap } from './zip-map';

const raw = (size: number) => message(9, Buffer.alloc(size));
const weights = tensor(1, [1], raw(4));
const external = tensor(1, [1], message(13, text(1, 'location'), text(2, 'secret.bin')), int(14, 1));
const times = (count: number, part: Buffer) => Buffer.alloc(count * part.length, part);
const attribute = (...value: readonly Buffer[]) => message(5, text(1, 'a'), ...value);
const called = (name: string) => node(name, [text(7, 'my.lab')], 7);
const func = (name: string, ...nodes: readonly Buffer[]) => message(25, text(1, name), text(10, 'my.lab'), ...nodes);

const typed = (field: 11 | 12, name: string, type: Buffer) => message(field, text(1, name), message(2, type));

describe(walkOnnx.name, () => {
  it('tells what a file says of itself, what it takes and gives, and what it is made of', () => {
    expect(walkOnnx(models.linear([[1, 2], [3, 4], [5, 6]]))).toEqual({
      irVersion: 8,
      opsets: { '': 17 },
      producer: 'onnx-writer',
      nodes: 2,
      operators: ['Add', 'MatMul'],
      initializerBytes: 32,
      inputs: [{ name: 'x', elemType: DTYPE.float32, dims: [null, 3] }],
      outputs: [{ name: 'y', elemType: DTYPE.float32, dims: [null, 2] }],
      unbounded: [],
    }); // prettier-ignore
  });

  it.each<[string, Buffer]>([
    ['linear', models.linear([[1]])],
    ['identity', models.identity(DTYPE.string, ['N', 2])],
    ['classifierWithLabels', models.classifierWithLabels()],
    ['twoInputs', models.twoInputs()],
    ['padded', models.padded(1000)],
    ['failing', models.failing()],
    ['nanOutput', models.nanOutput()],
    ['mapOutput', Buffer.from(cutZipMap(models.mapOutput()).bytes)],
  ])('finds nothing unbounded in the model %s', (_, file) => {
    expect(walkOnnx(file).unbounded).toEqual([]);
  });

  it.each<[string, Buffer, string]>([
    ['endlessLoop', models.endlessLoop(), 'it has the operator Loop'],
    ['slowLoop', models.slowLoop(3), 'it has the operator Loop'],
    ['memoryBomb', models.memoryBomb(), 'the operator Expand takes its shape from data'],
  ])('tells why the model %s is unbounded', (_, file, reason) => {
    expect(walkOnnx(file).unbounded).toEqual([reason]);
  });

  it('counts the nodes of subgraphs and lists their operators', () => {
    expect(walkOnnx(models.endlessLoop())).toMatchObject({ nodes: 7, operators: ['Cast', 'Greater', 'Identity', 'Loop', 'ReduceSum'] });
  });

  it('takes no input for one that has an initializer', () => {
    const inputs = ['x', 'w'].map((name): ValueInfo => ({ name, dtype: DTYPE.float32, dims: [null] }));
    const graph: Graph = { name: 'g', inputs, outputs: inputs, nodes: [], initializers: [floats('w', [1], [1])] };
    expect(walkOnnx(onnxModel({ graph })).inputs.map(({ name }) => name)).toEqual(['x']);
  });

  it('takes ai.onnx for the default domain, and leaves operator sets alone that no node uses', () => {
    const imports = [message(8, text(1, 'ai.onnx'), int(2, 13)), message(8, text(1, '__proto__'), int(2, 1))];
    const { opsets, operators } = walkOnnx(rawModel({ node: [text(7, 'ai.onnx')], model: imports }));
    expect(Object.entries(opsets)).toEqual([['', 13], ['__proto__', 1]]); // prettier-ignore
    expect(operators).toEqual(['Identity']);
  });

  it('tells which dimensions are free, and that a shape is not there', () => {
    const infos = (dims?: ValueInfo['dims']): ValueInfo => ({ name: 'x', dtype: DTYPE.float32, ...(dims && { dims }) });
    const facts = (dims?: ValueInfo['dims']) =>
      walkOnnx(onnxModel({ graph: { name: 'g', inputs: [infos(dims)], outputs: [infos()], nodes: [] } }));
    expect(facts(['N', null, 3, 'w']).unbounded).toEqual([
      'the dimension 1 of the input "x" is free',
      'the dimension 3 of the input "x" is free',
    ]);
    expect(facts([-1, 2]).inputs[0]?.dims).toEqual([null, 2]);
    expect(facts().inputs[0]?.dims).toBeUndefined();
    expect(facts().unbounded).toEqual(['the input "x" has no shape']);
    expect(facts([]).unbounded).toEqual([]);
    expect(facts([null, 1e4, 1e4]).unbounded).toEqual(['a row of the input "x" has 100000000 elements']);
  });

  it('tells that there are 32 MB of weights', () => {
    expect(walkOnnx(models.padded(33 * 2 ** 20)).unbounded).toEqual(['it has 33 MB of weights']);
  });

  it('does not look at weights: 100 MB of them', () => {
    const file = models.linear([[1]]).subarray(0); // warm
    walkOnnx(file);
    const large = rawModel({ graph: [message(5, tensor(1, [25 * 2 ** 20], raw(100 * 2 ** 20)))] });
    const startedAt = performance.now();
    expect(walkOnnx(large).initializerBytes).toBe(100 * 2 ** 20);
    process.stdout.write(`walk over 100 MB of weights: ${(performance.now() - startedAt).toFixed(2)} ms\n`);
  });
});

describe('a file that is no model', () => {
  it.each<[string, Buffer, string]>([
    ['nothing', Buffer.alloc(0), 'the file is empty'],
    ['noise', Buffer.from([0xff, 0xfe, 0x00]), 'it is not an ONNX file'],
    ['plain text', Buffer.from('hello'), 'it is not an ONNX file'],
    ['protobuf of another kind', text(1, 'a'), 'it is not an ONNX file'],
    ['a model without a graph', int(1, 8), 'it is not an ONNX file, or one without a graph'],
    ['a model that is cut off', models.linear([[1]]).subarray(0, -3), 'it is not an ONNX file'],
    ['a model with two graphs', Buffer.concat([rawModel({}), rawModel({})]), 'it is not an ONNX file: the field 7 is there twice'],
    ['a graph without outputs', Buffer.concat([int(1, 8), message(7, vector(11, 'x'))]), 'the graph has no outputs'],
    ['TensorFlow.js', Buffer.from(' {"format": "layers-model", "modelTopology": {}}'), 'it is a TensorFlow.js model.json'],
    ['JSON', Buffer.from('{"a": 1}'), 'it is not an ONNX file, it is JSON'],
    ['zip', Buffer.from('PK\u0003\u0004............'), 'it is a zip archive'],
    ['HDF5', Buffer.from('\u0089HDF\r\n\u001a\n', 'latin1'), 'it is an HDF5 file'],
    ['pickle', Buffer.from('\u0080\u0004\u0095', 'latin1'), 'it is a Python pickle'],
    ['safetensors', Buffer.from('\u0002\0\0\0\0\0\0\0{}', 'latin1'), 'it is a safetensors file'],
    ['TensorFlow Lite', Buffer.from('\u001c\0\0\0TFL3', 'latin1'), 'it is a TensorFlow Lite model'],
    ['GGUF', Buffer.from('GGUF\u0003'), 'it is a GGUF file'],
    ['gzip', Buffer.from([0x1f, 0x8b, 8]), 'compressed with gzip: unpack it first'],
    ['Git LFS', Buffer.from('version https://git-lfs.github.com/spec/v1\n'), 'it is a Git LFS pointer'],
  ])('is refused for what it is: %s', (_, file, reason) => {
    expect(() => walkOnnx(file)).toThrow(reason);
    expect(() => walkOnnx(file)).toThrow(OnnxRefused);
  });

  it('is refused where the engine would take it for its own format, good protobuf as it is', () => {
    const both = Buffer.concat([text(2, '..ORTM'), rawModel({})]);
    expect(() => walkOnnx(both)).toThrow('it is a model in the ORT format');
  });
});

describe('weights in another file', () => {
  const sparse = [message(1, external), message(2, tensor(7, [1], raw(8))), int(3, 2)];
  const graph = [message(5, external), vector(12, 'y')];
  it.each<[string, Buffer]>([
    ['an initializer', models.externalData()],
    ['a sparse initializer', rawModel({ graph: [message(15, ...sparse)] })],
    ['the indices of a sparse initializer', rawModel({ graph: [message(15, message(1, weights), message(2, external), int(3, 2))] })],
    ['a tensor attribute', rawModel({ node: [attribute(message(5, external))] })],
    ['a list of tensors', rawModel({ node: [attribute(message(10, weights), message(10, external))] })],
    ['a sparse attribute', rawModel({ node: [attribute(message(22, ...sparse))] })],
    ['a list of sparse tensors', rawModel({ node: [attribute(message(23, ...sparse))] })],
    ['a subgraph', rawModel({ node: [attribute(message(6, ...graph))] })],
    ['a list of subgraphs', rawModel({ node: [attribute(message(11, ...graph))] })],
    ['a local function', rawModel({ model: [func('f', node('Constant', [attribute(message(5, external))], 7))] })],
    ['a default of a local function', rawModel({ model: [func('f', message(11, text(1, 'a'), message(5, external)))] })],
    ['the training part', rawModel({ model: [message(20, message(2, ...graph))] })],
  ])('is refused: %s', (_, file) => {
    expect(() => walkOnnx(file)).toThrow(/ lies in another file: save the model with its weights inside$/);
  });

  it('is refused with the name of the tensor or of the node', () => {
    expect(() => walkOnnx(models.externalData())).toThrow('the initializer "weights" lies in');
    expect(() => walkOnnx(rawModel({ node: [attribute(message(5, external))] }))).toThrow(
      'the attribute "a" of the node "y" (Identity) lies in',
    );
  });
});

describe('an operator', () => {
  it('of a domain that the engine does not have is refused by domain and name', () => {
    const file = rawModel({ node: [text(7, 'my.lab')] });
    expect(() => walkOnnx(file)).toThrow('the operator "Identity" of the domain "my.lab" in the graph is not one of the engine\'s');
  });

  it('of such a domain is taken where the model brings it as a function', () => {
    const file = rawModel({ node: [text(7, 'my.lab')], model: [func('Identity', node('Relu', [], 7))] });
    expect(walkOnnx(file)).toMatchObject({ nodes: 2, operators: ['Relu', 'my.lab:Identity'], unbounded: [
      'it has local functions', 'it has the operator my.lab:Identity',
    ] }); // prettier-ignore
  });

  it('that a function of the model uses must be known as well', () => {
    expect(() => walkOnnx(rawModel({ model: [func('f', called('g'))] }))).toThrow('"g" of the domain "my.lab" in the function "f"');
  });
});

describe('a local function', () => {
  const chain = (length: number, calls: number) =>
    Array.from({ length }, (_, i) =>
      func(`f${i}`, ...Array<Buffer>(calls).fill(i === length - 1 ? node('Relu', [], 7) : called(`f${i + 1}`))),
    );

  it.each<[string, Buffer[]]>([
    ['itself', [func('f', called('f'))]],
    ['itself through another', [func('f', called('g')), func('g', called('f'))]],
    ['itself in a subgraph', [func('f', node('If', [attribute(message(6, node('f', [text(7, 'my.lab')])))], 7))]],
  ])('is refused where it calls %s', (_, functions) => {
    expect(() => walkOnnx(rawModel({ model: functions }))).toThrow('the function "f" calls itself: unroll it');
  });

  it('may lie 32 calls deep, not 33, in whatever order they are', () => {
    for (const order of [chain, (...how: [number, number]) => chain(...how).toReversed()]) {
      expect(walkOnnx(rawModel({ model: order(33, 1) })).nodes).toBe(34);
      expect(() => walkOnnx(rawModel({ model: order(34, 1) }))).toThrow('lie more than 32 deep');
    }
  });

  it('is refused where the calls unfold to more than 100,000 nodes', () => {
    expect(() => walkOnnx(rawModel({ model: chain(20, 2) }))).toThrow('unfolds to more than 100000 nodes');
  });

  it('is refused where it is there twice', () => {
    expect(() => walkOnnx(rawModel({ model: [func('f'), func('f')] }))).toThrow('the function "f" is there twice');
  });
});

describe('the limits', () => {
  const nested = (depth: number): Buffer =>
    depth === 1 ? message(6, vector(12, 'y')) : message(6, node('If', [attribute(nested(depth - 1))]));
  const typeIn = (depth: number): Buffer => (depth === 0 ? message(1, int(1, 1)) : message(4, message(1, typeIn(depth - 1))));

  it.each<[string, () => Buffer, string]>([
    ['graphs', () => rawModel({ node: [attribute(nested(32))] }), 'graphs lie more than 32 deep'],
    ['types', () => rawModel({ graph: [typed(11, 'a', typeIn(32))] }), 'a type lies more than 32 deep'],
    ['types in attributes', () => rawModel({ node: [attribute(message(14, typeIn(32)))] }), 'a type lies more than 32 deep'],
    ['nodes', () => rawModel({ graph: [times(100_000, message(1))] }), 'more than 100000 nodes'],
    ['nodes of functions', () => rawModel({ model: [func('f', times(100_000, message(7)))] }), 'more than 100000 nodes'],
    ['nodes of one function', () => rawModel({ model: [func('f', times(100_001, message(7)))] }), 'more than 100000 nodes'],
    ['tensors', () => rawModel({ graph: [times(100_001, message(5, weights))] }), 'more than 100000 tensors'],
    ['sparse tensors', () => rawModel({ graph: [times(50_001, message(15, message(1, tensor(1, [0]))))] }), 'more than 100000 tensors'],
    ['attributes', () => rawModel({ graph: [times(11, node('A', [times(99_000, message(5))]))] }), 'more than 1000000 attributes'],
    ['inputs of a node', () => rawModel({ node: [times(100_001, message(1))] }), 'more than 100000 inputs, outputs and attributes'],
    ['values', () => rawModel({ graph: [times(1_000_001, message(13))] }), 'more than 1000000 values'],
    ['values of nodes', () => rawModel({ graph: [times(11, node('A', [times(99_000, message(1))]))] }), 'more than 1000000 values'],
    ['types of an attribute', () => rawModel({ node: [attribute(times(1_000_001, message(15)))] }), 'more than 1000000 values'],
    ['graphs in all', () => rawModel({ node: [attribute(times(10_000, message(11)))] }), 'more than 10000 graphs'],
    ['functions', () => rawModel({ model: Array.from({ length: 10_001 }, (_, i) => func(`${i}`)) }), 'more than 10000 functions'],
    [
      'operator sets',
      () => rawModel({ model: Array.from({ length: 1001 }, (_, i) => message(8, text(1, `${i}`))) }),
      'more than 1000 operator sets',
    ],
    ['inputs and outputs', () => rawModel({ graph: [times(999, vector(11, 'a'))] }), 'more than 1000 inputs and outputs'],
    ['a name', () => rawModel({ node: [text(3, 'n'.repeat(4097))] }), 'a name has 4097 bytes; 4096 are allowed'],
    ['the name of a tensor', () => rawModel({ graph: [message(5, weights, text(8, 'n'.repeat(4097)))] }), 'a name has 4097 bytes'],
    ['dims of a value', () => rawModel({ graph: [typed(11, 'a', message(1, message(2, times(17, message(1)))))] }), 'more than 16 dims'],
    ['dims of a tensor', () => rawModel({ graph: [message(5, times(17, int(1, 1)))] }), 'more than 16 dims'],
  ])('are held: %s', (_, file, reason) => {
    expect(() => walkOnnx(file())).toThrow(reason);
  });

  it('leave alone what is at them', () => {
    expect(walkOnnx(rawModel({ node: [attribute(nested(31))] })).nodes).toBe(31);
    expect(walkOnnx(rawModel({ graph: [times(99_999, message(1))] })).nodes).toBe(100_000);
    expect(walkOnnx(rawModel({ graph: [times(998, vector(11, 'a'))] })).inputs).toHaveLength(999);
    expect(walkOnnx(rawModel({ node: [text(3, 'n'.repeat(4096))] })).nodes).toBe(1);
  });

  it('shorten the names that a refusal shows', () => {
    const file = rawModel({ node: [text(7, 'd'.repeat(4000))] });
    expect(() => walkOnnx(file)).toThrow(`the domain "${'d'.repeat(100)}…" in`);
  });
});

describe('an input or output', () => {
  const inner = message(1, message(1, int(1, 1)));
  it.each<[string, Buffer]>([
    ['is a sequence', message(4, inner)],
    ['is a map', message(5, int(1, 7), message(2, message(1, int(1, 1))))],
    ['is an optional value', message(9, inner)],
    ['is a sparse tensor', message(8, int(1, 1))],
    ['is an opaque value', message(7, text(2, 'o'))],
  ])('is refused where it %s, with the way to export without it', (what, type) => {
    const how = 'and only tensors are served: export without it (scikit-learn: options={"zipmap": False}; a sequence: stack or concatenate';
    expect(() => walkOnnx(rawModel({ graph: [typed(12, 'p', type)] }))).toThrow(`the output "p" ${what}, ${how}`);
    expect(() => walkOnnx(rawModel({ graph: [typed(11, 'p', type)] }))).toThrow(`the input "p" ${what}, ${how}`);
  });

  it('is refused where it is two things at once', () => {
    const both = Buffer.concat([message(1, int(1, 1)), message(4, inner)]);
    expect(() => walkOnnx(rawModel({ graph: [typed(12, 'p', both)] }))).toThrow('a type is two things at once');
  });
});
