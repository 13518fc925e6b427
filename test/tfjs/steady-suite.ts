import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { memory, setBackend } from '@tensorflow/tfjs-core';
import { input, layers, model as functional, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import type { EngineModel } from '../../src/runtime/engine-model';
import { openTfjs } from '../../src/runtime/tfjs/tfjs-file';
import { quietLibrary } from './quiet-library';
import { layersFiles, sourceOf, type TfjsFiles } from './tfjs-files';
import { linearTwin } from './twins';

/** What V8 may have compiled meanwhile, bytes: one number kept for each operation would be twice as much after 1 000 calls. */
const COMPILED = 2 ** 19;

/** A model with a recurrent layer: dozens of operations a call. */
export async function recurrent(): Promise<TfjsFiles> {
  await setBackend('cpu');
  const x = input({ shape: [3, 2], name: 'x' });
  const y = layers.lstm({ units: 4, recurrentInitializer: 'zeros', name: 'y' }).apply(x) as SymbolicTensor;
  return layersFiles(functional({ inputs: x, outputs: y }));
}

/** What is still used of the heap when the rest has been collected, bytes. */
function afterCollection(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
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
      const [before, taken] = [memory(), afterCollection()];
      for (let turn = 0; turn < calls; turn++) await run();
      const left = afterCollection() - taken;
      expect(memory()).toMatchObject({ numTensors: before.numTensors, numBytes: before.numBytes });
      expect(left).toBeLessThan(COMPILED);
      await model.release();
    });
  });
}
