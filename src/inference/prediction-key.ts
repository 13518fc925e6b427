import { hash } from 'node:crypto';
import { KEY_PREFIX } from '../cache/tiered-cache';
import type { Signature, Tensor } from '../runtime/tensor';
import { TensorWriter } from './tensor-bytes';

/** What a key is made of, and nothing else of a request: no header, no caller, no dialect. */
export interface KeyedCall {
  readonly executable: string;
  readonly signature: Signature;
  /** Those of the signature, in any order. */
  readonly inputs: readonly Tensor[];
  /** Names of the wanted outputs; absent: all of them. */
  readonly outputs?: readonly string[];
}

const ALL_OUTPUTS = -1;
const LARGE_BYTES = 2 ** 16;
const writer = new TensorWriter(LARGE_BYTES);

/**
 * Under what an answer is kept: `aapi:<executable>:<SHA-256>`. Two calls have the same key exactly where the same executable is asked for the
 * same outputs of the same inputs: names, datatypes, shapes and elements to the last bit, inputs in the order of the signature.
 */
export function predictionKey({ executable, signature, inputs, outputs }: KeyedCall): string {
  writer.begin().number(signature.inputs.length);
  for (let at = 0; at < signature.inputs.length; at++) writer.tensor(inputNamed((signature.inputs[at] as Tensor).name, inputs, at));
  writer.number(outputs?.length ?? ALL_OUTPUTS);
  for (const name of outputs ?? []) writer.text(name);
  const digest = hash('sha256', writer.written, 'base64url');
  writer.begin();
  return `${keysOf(executable)}${digest}`;
}

/** What the keys of all answers of an executable begin with. */
export function keysOf(executable: string): string {
  return `${KEY_PREFIX}${executable}:`;
}

/** Most callers send them in the order of the model. */
function inputNamed(name: string, inputs: readonly Tensor[], at: number): Tensor {
  const usual = inputs[at] as Tensor;
  return usual.name === name ? usual : (inputs.find((input) => input.name === name) as Tensor);
}
