import type { Signature } from '../runtime/tensor';

/** Whether a model takes whole numbers beyond 2^53, which plain JSON parsing would round. */
export function hasLongIntegers({ inputs }: Signature): boolean {
  return inputs.some(({ datatype }) => datatype === 'INT64' || datatype === 'UINT64');
}
