import { memory, setBackend } from '@tensorflow/tfjs-core';
import { input, layers, model as functional, sequential } from '@tensorflow/tfjs-layers';
import {
  changed,
  type Constant,
  graphFiles,
  type GraphNode,
  layersFiles,
  type ModelJsonText,
  placeholder,
  sourceOf,
  type TfjsFiles,
} from '../../../test/tfjs/tfjs-files';
import { quietLibrary } from '../../../test/tfjs/quiet-library';
import { loopTwin } from '../../../test/tfjs/twins';
import { EngineError } from '../engine-model';
import { openTfjs } from './tfjs-file';

type Json = Record<string, unknown>;
/** Reaches into a topology that a test makes wrong. */
const at = (json: unknown, ...path: (string | number)[]): Json => path.reduce<Json>((value, key) => value[key] as Json, json as Json);

const load = async (files: TfjsFiles) => (await openTfjs(sourceOf(files))).load();

describe(openTfjs, () => {
  beforeAll(quietLibrary);
  /** Whatever backend loaded the last model: tests build theirs with plain JavaScript. */
  beforeEach(() => setBackend('cpu'));

  const dense = () => {
    const x = input({ shape: [4], name: 'x' });
    const hidden = layers.dense({ units: 3, activation: 'relu', name: 'hidden' }).apply(x);
    const y = layers.dense({ units: 2, name: 'y' }).apply(hidden) as ReturnType<typeof input>;
    return layersFiles(functional({ inputs: x, outputs: y }));
  };
  const recurrent = () =>
    layersFiles(sequential({ layers: [layers.gru({ units: 2, inputShape: [3, 2], name: 'memory', recurrentInitializer: 'zeros' })] }));
  const WEIGHT: Constant = { name: 'w', shape: [2, 1], values: [2, 3] };
  const PRODUCT: GraphNode = { name: 'y', op: 'MatMul', input: ['x', 'w'] };
  const product = (...nodes: GraphNode[]) => graphFiles([placeholder('x', [-1, 2]), PRODUCT, ...nodes], [WEIGHT]);

  it('tells what a model of layers takes and gives, and computes it', async () => {
    const x = input({ shape: [2], name: 'x' });
    const y = layers.dense({ units: 1, name: 'y' });
    const files = await layersFiles(functional({ inputs: x, outputs: y.apply(x) as typeof x }));
    const doubled = { ...files, 'group1-shard1of1.bin': Buffer.from(Float32Array.of(2, 3, 10).buffer) };
    const model = await load(doubled);
    expect(model.signature).toEqual({
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 1] }],
    });
    expect(model.backend).toBe('wasm');
    const rows = { name: 'x', datatype: 'FP32', shape: [2, 2], data: Float32Array.of(1, 1, 0, 5) } as const;
    expect(await model.run([rows], ['y'])).toEqual([{ name: 'y', datatype: 'FP32', shape: [2, 1], data: Float32Array.of(15, 25) }]);
  });

  it('puts weights together that lie in several files, in the order of their paths', async () => {
    const x = input({ shape: [4], name: 'x' });
    const files = await layersFiles(functional({ inputs: x, outputs: layers.dense({ units: 3, name: 'y' }).apply(x) as typeof x }), 20);
    expect(Object.keys(files)).toHaveLength(4);
    const [one, other] = [await load(files), await load({ ...files })];
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: Float32Array.of(1, 2, 3, 4) } as const];
    expect(await one.run(inputs, ['y'])).toEqual(await other.run(inputs, ['y']));
    const { 'group1-shard1of3.bin': first = Buffer.of(), 'group1-shard2of3.bin': second = Buffer.of() } = files;
    const swapped = await load({ ...files, 'group1-shard1of3.bin': second, 'group1-shard2of3.bin': first });
    expect(await swapped.run(inputs, ['y'])).not.toEqual(await one.run(inputs, ['y']));
  });

  it('finds the files beside the model file, also where an archive had them in a folder', async () => {
    const files = Object.fromEntries(Object.entries(await dense()).map(([name, bytes]) => [`web/${name}`, bytes]));
    expect((await load(files)).signature.inputs).toHaveLength(1);
  });

  it('takes several inputs and gives several outputs, each by its name, and those only that are wanted', async () => {
    const [a, b] = [input({ shape: [2], name: 'a' }), input({ shape: [2], name: 'b' })];
    const [sum, most] = [layers.add({ name: 'sum' }).apply([a, b]), layers.maximum({ name: 'most' }).apply([a, b])] as [typeof a, typeof a];
    const model = await load(await layersFiles(functional({ inputs: [a, b], outputs: [sum, most] })));
    const tensor = (name: string, ...data: number[]) => ({ name, datatype: 'FP32', shape: [1, 2], data: Float32Array.from(data) }) as const;
    const inputs = [tensor('b', 10, -20), tensor('a', 1, 2)]; // not in the order of the signature
    expect(await model.run(inputs, ['most', 'sum'])).toEqual([tensor('most', 10, 2), tensor('sum', 11, -18)]);
    expect(await model.run(inputs, ['sum'])).toEqual([tensor('sum', 11, -18)]);
  });

  it('names what a graph takes and gives by its signature, and what it leaves out by runs', async () => {
    const signature = { inputs: { rows: { name: 'x:0', dtype: 'DT_FLOAT' } }, outputs: { best: { name: 'y:0', dtype: 'DT_INT64' } } };
    const nodes = [placeholder('x', [-1, 3]), { name: 'y', op: 'ArgMax', input: ['x', 'axis'] }];
    const model = await load(graphFiles(nodes, [{ name: 'axis', shape: [], values: [1], dtype: 'int32' }], { signature }));
    expect(model.signature).toEqual({
      inputs: [{ name: 'rows', datatype: 'FP32', shape: [-1, 3] }],
      outputs: [{ name: 'best', datatype: 'INT32', shape: [-1] }],
    });
    const rows = { name: 'rows', datatype: 'FP32', shape: [2, 3], data: Float32Array.of(1, 5, 2, 9, 0, 3) } as const;
    expect(await model.run([rows], ['best'])).toEqual([{ name: 'best', datatype: 'INT32', shape: [2], data: Int32Array.of(1, 0) }]);
  });

  it('runs a loop, which has to be waited for, and leaves no tensor of it behind', async () => {
    const model = await load(loopTwin(100, 7));
    const call = () => model.run([{ name: 'x', datatype: 'FP32', shape: [], data: Float32Array.of(3) }], ['y']);
    expect((await call())[0]?.data).toEqual(Float32Array.of(101));
    const before = memory().numTensors;
    for (let turn = 0; turn < 50; turn++) await call();
    expect(memory().numTensors).toBe(before);
  });

  it('computes with plain JavaScript what WebAssembly has no operation for, and says so', async () => {
    const nodes = [placeholder('x', [4]), { name: 'c', op: 'Complex', input: ['x', 'x'] }, { name: 'y', op: 'ComplexAbs', input: ['c'] }];
    const model = await load(graphFiles(nodes));
    expect(model.backend).toBe('cpu');
    const [answer] = await model.run([{ name: 'x', datatype: 'FP32', shape: [4], data: Float32Array.of(3, 0, -1, 2) }], ['y']);
    expect([...((answer?.data as Float32Array | undefined) ?? [])].map((each) => Math.round(each ** 2))).toEqual([18, 0, 2, 8]);
  });

  it('computes with plain JavaScript what WebAssembly computes wrong', async () => {
    const attr = { T: { type: 'DT_FLOAT' } };
    const nodes = [placeholder('x', [2], 'int32'), { name: 'y', op: 'OneHot', input: ['x', 'depth', 'on', 'off'], attr }];
    const scalar = (name: string, value: number, dtype: 'float32' | 'int32' = 'float32'): Constant => ({ name, shape: [], values: [value], dtype }); // prettier-ignore
    const model = await load(graphFiles(nodes, [scalar('depth', 2, 'int32'), scalar('on', 0.5), scalar('off', 0)]));
    expect(model.backend).toBe('cpu');
    const [answer] = await model.run([{ name: 'x', datatype: 'INT32', shape: [2], data: Int32Array.of(1, 0) }], ['y']);
    expect(answer?.data).toEqual(Float32Array.of(0, 0.5, 0.5, 0));
  });

  it('says of a model that draws by chance that it does', async () => {
    const shape: Constant = { name: 'shape', shape: [1], values: [3], dtype: 'int32' };
    const drawn = { name: 'y', op: 'RandomUniform', input: ['shape'], attr: { dtype: { type: 'DT_FLOAT' } } };
    expect((await openTfjs(sourceOf(graphFiles([drawn], [shape])))).random).toBe(true);
    expect((await openTfjs(sourceOf(product()))).random).toBe(false);
  });

  it('keeps the number of tensors and their bytes the same over a thousand calls of each kind', async () => {
    const models = [await load(await dense()), await load(product())];
    const inputs = models.map(({ signature }) => signature.inputs.map((spec) => ({ ...spec, shape: [1, spec.shape[1] as number], data: new Float32Array(spec.shape[1] as number) }))); // prettier-ignore
    const { numTensors, numBytes } = memory();
    for (let turn = 0; turn < 500; turn++) {
      for (const [index, model] of models.entries()) await model.run(inputs[index] ?? [], ['y']);
    }
    expect(memory()).toMatchObject({ numTensors, numBytes });
  });

  it('frees every tensor when it is released, and where it is refused', async () => {
    const before = memory().numTensors;
    for (const files of [await dense(), product()]) await (await load(files)).release();
    const wrong = changed(await dense(), (json) => void (at(json, 'weightsManifest', 0, 'weights', 3)['name'] = 'other/kernel'));
    await expect(load(wrong)).rejects.toBeInstanceOf(EngineError);
    await setBackend('cpu');
    expect(memory().numTensors).toBe(before + 8); // those of the two models that tests built
  });

  describe('refuses, and names what is wrong', () => {
    type Wrong = readonly [title: string, files: () => TfjsFiles | Promise<TfjsFiles>, reason: RegExp];
    const layered = (change: (json: ModelJsonText) => void) => async () => changed(await dense(), change);
    const graphed = (change: (json: ModelJsonText) => void) => () => changed(product(), change);
    const layer = (json: unknown, index: number) => at(json, 'modelTopology', 'config', 'layers', index);
    const config = (json: unknown, index: number) => at(layer(json, index), 'config');
    const group = (json: unknown) => at(json, 'weightsManifest', 0);
    const weight = (json: unknown, index = 0) => at(group(json), 'weights', index);
    const node = (json: unknown, index: number) => at(json, 'modelTopology', 'node', index);

    const CASES: readonly Wrong[] = [
      ['what is no JSON', () => ({ 'model.json': Buffer.from('{') }), /no JSON that can be read/],
      ['an empty file', () => ({ 'model.json': Buffer.of() }), /it is empty/],
      ['a list', () => ({ 'model.json': Buffer.from('[]') }), /the model file is not an object/],
      [
        'JSON that is nested too deep',
        () => ({ 'model.json': Buffer.from('['.repeat(100) + ']'.repeat(100)) }),
        /nested more than 64 deep/,
      ],
      ['a key that could change a prototype', () => ({ 'model.json': Buffer.from('{"__proto__": {}}') }), /__proto__/],
      ['no topology', layered((json) => void delete json.modelTopology), /modelTopology of the model file is not an object/],
      ['an unknown format', layered((json) => void (json.format = 'keras')), /format "keras"; served are/],
      ['a path upwards', layered((json) => void (group(json)['paths'] = ['../secret.bin'])), /path "..\/secret.bin"/],
      ['a path upwards from within', layered((json) => void (group(json)['paths'] = ['a/../../b'])), /path "a\/..\/..\/b"/],
      ['an absolute path', layered((json) => void (group(json)['paths'] = ['/etc/passwd'])), /path "\/etc\/passwd"/],
      ['an address', layered((json) => void (group(json)['paths'] = ['http://169.254.169.254/x'])), /path "http:\/\/169/],
      ['a path with a backslash', layered((json) => void (group(json)['paths'] = ['a\\b'])), /plain name of a file/],
      ['a path with NUL', layered((json) => void (group(json)['paths'] = ['a\0'])), /plain name of a file/],
      ['a path that is a number', layered((json) => void (group(json)['paths'] = [1])), /a path in weightsManifest is not a name/],
      [
        'a path twice',
        layered((json) => void (group(json)['paths'] = ['group1-shard1of1.bin', 'group1-shard1of1.bin'])),
        /twice in weightsManifest/,
      ],
      [
        'a shard that was not uploaded',
        layered((json) => void (group(json)['paths'] = ['other.bin'])),
        /file "other.bin" of weightsManifest is not among/,
      ],
      [
        'a shard that is cut off',
        async () => ({ ...(await dense()), 'group1-shard1of1.bin': Buffer.alloc(90) }),
        /weight "y\/bias" ends at byte 92 .* has 90/,
      ],
      [
        'a shard that is too long',
        async () => ({ ...(await dense()), 'group1-shard1of1.bin': Buffer.alloc(96) }),
        /has 96 bytes, and the weights in it take 92/,
      ],
      [
        'a weight of 100 GiB',
        layered((json) => void (weight(json)['shape'] = [163_840, 163_840])),
        /weight "hidden\/kernel" has the shape \[163840, 163840\], which no memory/,
      ],
      ['a weight whose size overflows', layered((json) => void (weight(json)['shape'] = [2 ** 40, 2 ** 40])), /which no memory can hold/],
      ['a negative dimension', layered((json) => void (weight(json)['shape'] = [-4, 3])), /weight "hidden\/kernel" has no usable shape/],
      ['a dimension that is no whole number', layered((json) => void (weight(json)['shape'] = [1.5])), /no usable shape/],
      ['too many dimensions', layered((json) => void (weight(json)['shape'] = Array.from({ length: 9 }, () => 1))), /no usable shape/],
      ['a weight without a shape', layered((json) => void delete weight(json)['shape']), /no usable shape/],
      ['an unknown datatype', layered((json) => void (weight(json)['dtype'] = 'complex64')), /datatype "complex64"; served are/],
      ['a weight twice', layered((json) => void (weight(json, 2)['name'] = 'hidden/kernel')), /weight "hidden\/kernel" is there twice/],
      ['a weight without a name', layered((json) => void (weight(json)['name'] = '')), /the name of a weight is not a name/],
      ['a weight that is called as objects are', layered((json) => void (weight(json)['name'] = 'toString')), /which no name can be/],
      [
        'a quantization with NaN',
        layered((json) => void (weight(json)['quantization'] = { dtype: 'uint8', scale: null, min: 0 })),
        /quantization that cannot be undone/,
      ],
      [
        'an unknown quantization',
        layered((json) => void (weight(json)['quantization'] = { dtype: 'int4', scale: 1, min: 0 })),
        /quantization that cannot be undone/,
      ],
      [
        'a weight of no layer',
        layered((json) => void (weight(json)['name'] = 'nowhere/kernel')),
        /weight "nowhere\/kernel" is that of no layer/,
      ],
      ['a layer without its weights', async () => ({ ...changed(await dense(), (json) => void (group(json)['weights'] = (group(json)['weights'] as Json[]).slice(0, 2))), 'group1-shard1of1.bin': Buffer.alloc(60) }), /the layer "y" needs a weight "kernel" of the shape \[3, 2\]/], // prettier-ignore
      [
        'a weight of another shape than its layer',
        layered((json) => void Object.assign(weight(json), { shape: [3, 4] })),
        /weight "hidden\/kernel" has the shape \[3, 4\], and its layer needs \[4, 3\]/,
      ],
      ['a Lambda', layered((json) => void (layer(json, 1)['class_name'] = 'Lambda')), /the layer "hidden" is a Lambda/],
      [
        'a layer of one’s own',
        layered((json) => void (layer(json, 1)['class_name'] = 'MyLayer')),
        /the layer "hidden" is of the class "MyLayer"/,
      ],
      ['a layer that is an optimizer', layered((json) => void (layer(json, 1)['class_name'] = 'Adam')), /of the class "Adam"/],
      ['a layer without a config', layered((json) => void delete layer(json, 1)['config']), /the config of a layer is not an object/],
      ['a layer of 10^11 units', layered((json) => void (config(json, 1)['units'] = 1e11)), /the layer "hidden" has units "100000000000"/],
      [
        'a layer of more units than there are weights',
        layered((json) => void (config(json, 1)['units'] = 1e9)),
        /the layer "hidden" needs a weight "kernel" of the shape \[4, 1000000000\]/,
      ],
      [
        'an input of 100 GiB',
        layered((json) => void (config(json, 0)['batch_input_shape'] = [null, 163_840, 163_840])),
        /the layer "x" takes an input of 26843545600 numbers/,
      ],
      [
        'an unknown activation',
        layered((json) => void (config(json, 1)['activation'] = 'rocket')),
        /the layer "hidden" has the activation "rocket"/,
      ],
      [
        'a layer that waits for itself',
        layered((json) => void (at(layer(json, 1), 'inbound_nodes', 0, 0)[0] = 'y' as never)),
        /waits for its own output/,
      ],
      [
        'a layer that takes from nowhere',
        layered((json) => void (at(layer(json, 1), 'inbound_nodes', 0, 0)[0] = 'nowhere' as never)),
        /the layer "hidden" takes its input from "nowhere"/,
      ],
      ['two layers of one name', layered((json) => void (layer(json, 1)['name'] = 'y')), /two layers of the model are called "y"/],
      [
        'an output that is no layer',
        layered((json) => void (at(json, 'modelTopology', 'config', 'output_layers', 0)[0] = 'z' as never)),
        /"z" is one of the output_layers/,
      ],
      [
        'a model without outputs',
        layered((json) => void (at(json, 'modelTopology', 'config')['output_layers'] = [] as never)),
        /has no output_layers/,
      ],
      [
        'a model without layers',
        layered((json) => void (at(json, 'modelTopology', 'config')['layers'] = [] as never)),
        /the model has no layers/,
      ],
      [
        'a model that is a layer',
        layered((json) => void (at(json, 'modelTopology')['class_name'] = 'Dense' as never)),
        /the model is of the class "Dense"/,
      ],
      [
        'a layer that remembers',
        async () => changed(await recurrent(), (json) => void (config(json, 0)['stateful'] = true)),
        /the layer "memory" is stateful/,
      ],
      [
        'a GRU of TensorFlow 2',
        async () => changed(await recurrent(), (json) => void (config(json, 0)['reset_after'] = true)),
        /the layer "memory" has reset_after/,
      ],
      [
        'another layer on the way back',
        async () =>
          changed(await recurrent(), (json) => {
            const way = { ...layer(json, 0) };
            const backward_layer = { ...way, config: { ...config(json, 0), activation: 'relu' } };
            Object.assign(layer(json, 0), { class_name: 'Bidirectional', config: { name: 'both', layer: way, backward_layer } });
          }),
        /the layer "both" has another activation on its way back/,
      ],
      ['a graph without nodes', graphed((json) => void (at(json, 'modelTopology')['node'] = [] as never)), /the graph has no nodes/],
      ['an unknown operator', graphed((json) => void (node(json, 2)['op'] = 'PyFunc')), /the node "y" has the operator "PyFunc"/],
      [
        'an operator that the library computes wrong',
        graphed((json) => void (node(json, 2)['op'] = 'BitwiseAnd')),
        /the node "y" has the operator "BitwiseAnd", which TensorFlow.js computes wrong/,
      ],
      [
        'a layer that the library cannot run',
        layered((json) => void (layer(json, 1)['class_name'] = 'Resizing')),
        /the layer "hidden" is of the class "Resizing", which TensorFlow.js cannot run/,
      ],
      [
        'a decision forest',
        graphed((json) => void (node(json, 2)['op'] = 'SimpleMLCreateModelResource')),
        /the node "y" is a decision forest/,
      ],
      [
        'a graph that is a circle',
        () => product({ name: 'a', op: 'Relu', input: ['b'] }, { name: 'b', op: 'Relu', input: ['a'] }),
        /the node "a" waits for its own output/,
      ],
      [
        'a node that takes from nowhere',
        graphed((json) => void (node(json, 2)['input'] = ['x', 'nowhere'])),
        /the node "y" takes its input from "nowhere"/,
      ],
      ['two nodes of one name', () => product(PRODUCT), /two nodes of the graph are called "y"/],
      ['a node without a name', graphed((json) => void delete node(json, 2)['name']), /the name of a node of the graph is not a name/],
      ['a constant without a weight', graphed((json) => { (group(json)['weights'] as Json[])[0] = { name: 'v', shape: [2], dtype: 'float32' }; delete at(node(json, 0), 'attr')['value']; }), /the node "w" is a constant of which weightsManifest has no weight/], // prettier-ignore
      [
        'a function that there is not',
        () => product({ name: 'z', op: 'StatelessIf', input: ['x'], attr: { then_branch: { func: { name: 'f' } } } }),
        /the node "z" calls the function "f"/,
      ],
      [
        'an input of 100 GiB in a graph',
        () => graphFiles([placeholder('x', [1, 163_840, 163_840]), { name: 'y', op: 'Relu', input: ['x'] }]),
        /the node "x" takes an input of 26843545600 numbers/,
      ],
    ].map(([title, files, reason]) => [title, files, reason] as unknown as Wrong);

    it.each(CASES)('%s', async (_title, files, reason) => {
      const source = sourceOf(await files());
      const refused = await openTfjs(source).then((opened) => opened.load()).catch((error: unknown) => error); // prettier-ignore
      expect(refused).toBeInstanceOf(EngineError);
      expect((refused as Error).message).toMatch(reason);
    });

    it('has forty of them and more', () => expect(CASES.length).toBeGreaterThanOrEqual(40));
  });
});
