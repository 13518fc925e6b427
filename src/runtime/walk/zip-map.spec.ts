import { InferenceSession, Tensor } from 'onnxruntime-node';
import { classifierWithLabels, linear, mapOutput } from '../../../test/onnx/models';
import { type Attribute, DTYPE, type Graph, onnxModel } from '../../../test/onnx/onnx-writer';
import { OnnxRefused } from './onnx-refused';
import { walkOnnx } from './onnx-walk';
import { Fields } from './protobuf';
import { cutZipMap } from './zip-map';

const labels: Record<string, Attribute> = { classlabels_int64s: { ints: [0, 1] } };
const zip = (input: string, output: string, attributes = labels) => {
  return { op: 'ZipMap', domain: 'ai.onnx.ml', inputs: [input], outputs: [output], attributes };
};
const maps = (name: string) => ({ name, dtype: DTYPE.float32, mapKey: DTYPE.int64 });

const zipped = (change: Partial<Graph>): Buffer =>
  onnxModel({
    domains: { 'ai.onnx.ml': 3 },
    graph: {
      name: 'zipped',
      inputs: [{ name: 'x', dtype: DTYPE.float32, dims: ['rows', 2] }],
      outputs: [maps('y')],
      nodes: [zip('x', 'y')],
      ...change,
    },
  });

/** The fields of a message as they stand, or of the message within a field. */
const fieldsOf = (source: Buffer, within = false): Buffer[] => {
  const outer = new Fields(source);
  if (within) outer.next();
  const bytes = within ? Buffer.from(outer.bytes) : source;
  const fields = new Fields(bytes);
  const found: Buffer[] = [];
  while (fields.next()) found.push(bytes.subarray(fields.start, fields.end));
  return found;
};

const run = async (bytes: Uint8Array, feeds: InferenceSession.FeedsType) => {
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 4 });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
};

describe(cutZipMap.name, () => {
  it('turns the sequence of maps of a scikit-learn classifier to a tensor that the engine returns', async () => {
    const { bytes, output } = cutZipMap(mapOutput());
    expect(output).toBe('output_probability');
    const answer = await run(bytes, { x: new Tensor('float32', [1, 0, 0, 1], [2, 2]) });
    expect(answer['output_probability']?.dims).toEqual([2, 3]);
    expect(answer['label']?.data).toEqual(BigInt64Array.of(0n, 1n));
  });

  it('tells what the columns stand for: numbers or texts', () => {
    expect(cutZipMap(mapOutput()).labels).toEqual([0, 1, 2]);
    expect(cutZipMap(mapOutput([-1, 5])).labels).toEqual([-1, 5]);
    expect(cutZipMap(mapOutput(['setosa', 'žluťoučký'])).labels).toEqual(['setosa', 'žluťoučký']);
  });

  it('tells a number beyond 2^53 as text', () => {
    const large = zipped({ nodes: [zip('x', 'y', { classlabels_int64s: { ints: [0, 2n ** 60n] } })] });
    expect(cutZipMap(large).labels).toEqual([0, String(2n ** 60n)]);
  });

  it('declares the output as FLOAT, its first dimension free as that of the first input is, its second the number of labels', () => {
    expect(walkOnnx(cutZipMap(zipped({})).bytes).outputs).toEqual([{ name: 'y', elemType: 1, dims: ['rows', 2] }]);
    expect(walkOnnx(cutZipMap(mapOutput()).bytes).outputs[1]).toEqual({ name: 'output_probability', elemType: 1, dims: [null, 3] });
  });

  it('leaves all else of the file byte for byte', () => {
    const file = mapOutput();
    const cut = Buffer.from(cutZipMap(file).bytes);
    const [before, after] = [fieldsOf(file), fieldsOf(cut)];
    expect(after.filter((_, i) => !after[i]?.equals(before[i] as Buffer))).toHaveLength(1); // the graph
    const [graph, cutGraph] = [fieldsOf(before[2] as Buffer, true), fieldsOf(after[2] as Buffer, true)];
    const changed = cutGraph.flatMap((field, i) => (field.equals(graph[i] as Buffer) ? [] : [i]));
    expect(cutGraph).toHaveLength(graph.length);
    expect(changed).toEqual([3, graph.length - 1]); // the last node, the last output
    expect(walkOnnx(cut).operators).toEqual(['ArgMax', 'Identity', 'MatMul', 'Softmax']);
  });

  it('imports the operator set of Identity where the file imports none', async () => {
    const withDefault = zipped({});
    const opset = Buffer.from([0x42, 4, 0x0a, 0, 0x10, 17]);
    const at = withDefault.indexOf(opset);
    const without = Buffer.concat([withDefault.subarray(0, at), withDefault.subarray(at + opset.length)]);
    expect(walkOnnx(cutZipMap(without).bytes).opsets).toEqual({ '': 13, 'ai.onnx.ml': 3 });
    const answer = await run(cutZipMap(without).bytes, { x: new Tensor('float32', [0.25, 0.75], [1, 2]) });
    expect(answer['y']?.data).toEqual(Float32Array.of(0.25, 0.75));
  });

  it.each<[string, Buffer]>([
    ['a model without one', linear([[1]])],
    ['a classifier that gives a tensor already', classifierWithLabels()],
    ['two of them', zipped({ nodes: [zip('x', 'y'), zip('x', 'z')], outputs: [maps('y'), maps('z')] })],
    ['one whose maps go into a node', zipped({ nodes: [zip('x', 'y'), { op: 'SequenceLength', inputs: ['y'], outputs: ['n'] }] })],
    ['one whose maps are no output', zipped({ outputs: [maps('other')] })],
    ['one whose output is declared as a tensor', zipped({ outputs: [{ name: 'y', dtype: DTYPE.float32, dims: [null, 2] }] })],
    ['one without labels', zipped({ nodes: [zip('x', 'y', {})] })],
    ['one with labels of both kinds', zipped({ nodes: [zip('x', 'y', { ...labels, classlabels_strings: { strings: ['a', 'b'] } })] })],
    ['one that gives two values', zipped({ nodes: [{ ...zip('x', 'y'), outputs: ['y', 'z'] }] })],
    ['one of another domain', zipped({ nodes: [{ ...zip('x', 'y'), domain: 'my.lab' }] })],
    ['no bytes at all', Buffer.alloc(0)],
    ['a file of another format', Buffer.from('{"modelTopology":{}}')],
  ])('gives back the very same bytes of %s', (_, file) => {
    expect(cutZipMap(file)).toEqual({ bytes: file });
    expect(cutZipMap(file).bytes).toBe(file);
  });

  it('leaves a ZipMap that it cannot cut to the walk, which says how to export without it', () => {
    const two = zipped({ nodes: [zip('x', 'y'), zip('x', 'z')], outputs: [maps('y'), maps('z')] });
    expect(() => walkOnnx(cutZipMap(two).bytes)).toThrow('the output "y" is a sequence, and only tensors are served');
  });

  it('refuses what is no protobuf', () => {
    expect(() => cutZipMap(Buffer.from([0x0b]))).toThrow(OnnxRefused);
  });
});
