import { engine, type Tensor as TfjsTensor } from '@tensorflow/tfjs-core';
import type { EngineModel } from '../engine-model';
import { randomTensor, zeroTensor } from '../measure/sample-tensor';
import type { Signature, Tensor, TensorSpec } from '../tensor';
import type { Network } from './network';
import { type Backend, useBackend } from './tfjs-engine';
import { tfjs } from './tfjs-error';
import { fromTfjs, toTfjs } from './tfjs-tensors';

/** A model in TensorFlow.js. Everything here blocks the thread that calls it, and only one may run at a time: it lives in an engine host. */
export class TfjsModel implements EngineModel {
  private constructor(
    private readonly network: Network,
    readonly backend: Backend,
    readonly signature: Signature,
  ) {}

  /** @param make builds the network, with the backend in use @throws EngineError; nothing of it stays in memory then */
  static async loadWarm(backend: Backend, make: () => Promise<Network>): Promise<TfjsModel> {
    const network = await tfjs(async () => {
      await useBackend(backend);
      return make();
    });
    try {
      const { inputs, outputs } = network;
      const declared = new TfjsModel(network, backend, { inputs, outputs });
      return new TfjsModel(network, backend, { inputs, outputs: await declared.seenOutputs() });
    } catch (error) {
      network.dispose();
      throw error;
    }
  }

  /** @throws EngineError */
  async run(inputs: readonly Tensor[], outputs: readonly string[]): Promise<readonly Tensor[]> {
    return tfjs(async () => {
      await useBackend(this.backend);
      // what is made in a scope is disposed at its end; a tidy of the library waits for nothing
      engine().startScope('run');
      try {
        return await this.compute(inputs, outputs);
      } finally {
        engine().endScope();
      }
    });
  }

  release(): Promise<void> {
    return tfjs(() => this.network.dispose());
  }

  private async compute(inputs: readonly Tensor[], wanted: readonly string[]): Promise<readonly Tensor[]> {
    const feeds = new Map(inputs.map((tensor) => [tensor.name, toTfjs(tensor)]));
    const computed = await this.network.run(feeds, wanted);
    return wanted.map((name, at) => fromTfjs(name, computed[at] as TfjsTensor));
  }

  /**
   * The outputs as runs give them: files often tell neither datatype nor shape. Where a dimension besides the first is free, nobody knows what
   * to run the model on, and what is declared stands.
   * @throws EngineError where the model cannot be run
   */
  private async seenOutputs(): Promise<readonly TensorSpec[]> {
    const { inputs, outputs } = this.signature;
    if (inputs.some(({ shape }) => shape.slice(1).includes(-1))) return outputs;
    const names = outputs.map(({ name }) => name);
    const sample = (rows: number, made = zeroTensor): Promise<readonly Tensor[]> => this.run(inputs.map((spec) => made(spec, rows)), names); // prettier-ignore
    const one = await sample(1).catch(() => sample(1, randomTensor));
    const free = inputs.some(({ shape }) => shape[0] === -1);
    const two = free ? await sample(2).catch(() => undefined) : undefined;
    return one.map((tensor, at) => specOf(tensor, outputs[at] as TensorSpec, two?.[at]));
  }
}

/** A dimension that is another one for two rows, or declared as free, is free. */
function specOf({ name, datatype, shape }: Tensor, declared: TensorSpec, two: Tensor | undefined): TensorSpec {
  const known = declared.shape.length === shape.length ? declared.shape : shape;
  const dimensions = shape.map((size, at) => (two !== undefined && two.shape[at] !== size ? -1 : (known[at] as number)));
  return { name, datatype, shape: dimensions };
}
