import type { Measured } from '../../runtime/model-runtime.port';
import type { ModelMetadata } from '../upload/model-metadata';

/**
 * How many rows one run of a version is best made of, where calls may be put together; 1: each call runs by itself.
 * @param measured what is known of it on this machine: of what was not measured nothing is put together
 */
export function batchRows({ batching = 'auto' }: ModelMetadata, measured: Measured | undefined): number {
  if (batching === 'off' || measured === undefined || !measured.batchable) return 1;
  return batching === 'exact' && !measured.exactInBatches ? 1 : measured.bestBatch;
}
