import { input, layers, model as functional, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { quietLibrary } from '../../../test/tfjs/quiet-library';
import { files, layersFiles, sourceOf, type TfjsFiles } from '../../../test/tfjs/tfjs-files';
import type { Tensor } from '../tensor';
import { asKeras2 } from './keras3';
import type { JsonObject } from './json-values';
import { openTfjs } from './tfjs-file';

interface Block {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

/** A model that Keras 3 wrote, and what Keras itself gave for `inputs` (`test/tfjs/keras3.py`). */
interface Keras3Model {
  readonly modelTopology: { readonly model_config: JsonObject };
  readonly weights: readonly Block[];
  readonly inputs: readonly Block[];
  readonly outputs: readonly Omit<Block, 'name'>[];
}

const MODELS = JSON.parse(readFileSync(join(__dirname, '../../../test/tfjs/keras3.json'), 'utf8')) as Record<string, Keras3Model>;

const filesOf = ({ modelTopology, weights }: Keras3Model): TfjsFiles => {
  const manifest = [{ paths: ['weights.bin'], weights: weights.map(({ name, shape }) => ({ name, shape, dtype: 'float32' })) }];
  const bytes = Buffer.from(Float32Array.from(weights.flatMap(({ values }) => values)).buffer);
  return files({ format: 'layers-model', modelTopology, weightsManifest: manifest }, { 'weights.bin': bytes });
};
const rounded = (values: Iterable<number>): readonly number[] => Array.from(values, (value) => Math.round(value * 1e5));

describe(asKeras2, () => {
  beforeAll(quietLibrary);

  it.each(Object.entries(MODELS))('lets a model of Keras 3 give what Keras gives: %s', async (_name, keras) => {
    const opened = await openTfjs(sourceOf(filesOf(keras)));
    expect(opened.report.options).toEqual({ keras: 'rewritten from 3 to 2' });
    const model = await opened.load();
    const inputs = keras.inputs.map(({ shape, values }, at): Tensor => ({ name: model.signature.inputs[at]?.name ?? '', datatype: 'FP32', shape, data: Float32Array.from(values) })); // prettier-ignore
    const answers = await model.run(inputs, model.signature.outputs.map(({ name }) => name)); // prettier-ignore
    expect(answers.map(({ shape, data }) => ({ shape, values: rounded(data as Float32Array) }))).toEqual(
      keras.outputs.map(({ shape, values }) => ({ shape, values: rounded(values) })),
    );
    await model.release();
  });

  it('gives each input the name that Keras gave it', async () => {
    const model = await (await openTfjs(sourceOf(filesOf(MODELS['functional']!)))).load();
    expect(model.signature.inputs.map(({ name }) => name)).toEqual(['a', 'b']);
    await model.release();
  });

  it('leaves a topology of Keras 2 as it is', async () => {
    const x = input({ shape: [4], name: 'x' });
    const y = layers.dense({ units: 3, name: 'y' }).apply(x) as SymbolicTensor;
    const { 'model.json': json = Buffer.of() } = await layersFiles(functional({ inputs: x, outputs: y }));
    const { modelTopology } = JSON.parse(json.toString()) as { readonly modelTopology: JsonObject };
    expect(asKeras2(modelTopology)).toBe(modelTopology);
  });
});
