import type { Tensor as TfjsTensor } from '@tensorflow/tfjs-core';
import type { TensorSpec } from '../tensor';

/** A model of the library, of layers or a graph of operators. */
export interface Network {
  readonly inputs: readonly TensorSpec[];
  /** As far as the files tell: a run tells more. */
  readonly outputs: readonly TensorSpec[];
  /**
   * Called where every tensor that is made is disposed of afterwards.
   * @param wanted names of outputs @returns those, in that order
   */
  run(inputs: ReadonlyMap<string, TfjsTensor>, wanted: readonly string[]): readonly TfjsTensor[] | Promise<readonly TfjsTensor[]>;
  dispose(): void;
}
