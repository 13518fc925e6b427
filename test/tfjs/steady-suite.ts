import { memory, setBackend } from '@tensorflow/tfjs-core';
import { input, layers, model as functional, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import type { EngineModel } from '../../src/runtime/engine-model';
import { openTfjs } from '../../src/runtime/tfjs/tfjs-file';
import { quietLibrary } from './quiet-library';
import { layersFiles, sourceOf, type TfjsFiles } from './tfjs-files';
import { linearTwin } from './twins';

/** What an allocator may keep of work that is done, bytes. */
const SLACK = 32 * 2 ** 20;

async function recurrent(): Promise<TfjsFiles> {
  await setBackend('cpu');
  const x = input({ shape: [3, 2], name: 'x' });
  const y = layers.lstm({ units: 4, recurrentInitializer: 'zeros', name: 'y' }).apply(x) as SymbolicTensor;
  return layersFiles(functional({ inputs: x, outputs: y }));
}

/** @param calls of each kind of model */
export function steadySuite(calls: number): void {
  describe(`tensors and memory over ${calls} calls`, () => {
    beforeAll(quietLibrary);

    it.each([
      ['a graph', async () => linearTwin([[2], [3]], [1])],
      ['a recurrent layer', recurrent],
    ])('stay what they are: %s', async (_what, files) => {
      const model: EngineModel = await (await openTfjs(sourceOf(await files()))).load();
      const inputs = model.signature.inputs.map(({ name, datatype, shape }) => {
        const one = shape.map((size) => Math.max(1, size));
        return { name, datatype, shape: one, data: new Float32Array(one.reduce((all, size) => all * size, 1)) };
      });
      const run = () => model.run(inputs, ['y']);
      for (let turn = 0; turn < calls / 10; turn++) await run();
      const [before, rssBefore] = [memory(), process.memoryUsage.rss()];
      for (let turn = 0; turn < calls; turn++) await run();
      expect(memory()).toMatchObject({ numTensors: before.numTensors, numBytes: before.numBytes });
      expect(process.memoryUsage.rss() - rssBefore).toBeLessThan(SLACK);
      await model.release();
    });
  });
}
