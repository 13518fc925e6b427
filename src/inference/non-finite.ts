import type { VersionRecord } from '../models/registry/registry-records';
import type { Tensor } from '../runtime/tensor';
import { NonFiniteOutput } from './inference.errors';

const HALF_EXPONENT = 0x7c00;

/** How many elements are NaN or infinity. */
export function countNonFinite({ datatype, data }: Tensor): number {
  if (datatype === 'FP16') return count(data as Uint16Array, (bits) => (bits & HALF_EXPONENT) === HALF_EXPONENT);
  return datatype === 'FP32' || datatype === 'FP64' ? count(data as Float32Array, (value) => !Number.isFinite(value)) : 0;
}

/** @throws NonFiniteOutput where an output has NaN or infinity and the metadata says `nonFinite: reject`, however it would be written */
export function refuseNonFinite(outputs: readonly Tensor[], { manifest }: VersionRecord): void {
  if (manifest.metadata.nonFinite !== 'reject') return;
  const broken = outputs.find((output) => countNonFinite(output) > 0);
  if (broken !== undefined) throw new NonFiniteOutput(broken.name);
}

function count(data: ArrayLike<number>, broken: (value: number) => boolean): number {
  let found = 0;
  for (let at = 0; at < data.length; at++) if (broken(data[at] as number)) found++;
  return found;
}
