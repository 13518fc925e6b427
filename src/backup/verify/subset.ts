import { hashOf } from '../../storage/stored-event';

/** Part n of t, n from 1 on. */
export interface Subset {
  readonly n: number;
  readonly t: number;
}

/** Whether an object is in a part: decided by its name alone, so that after all t parts each was read exactly once. */
export function inSubset(path: string, { n, t }: Subset): boolean {
  if (!Number.isInteger(n) || !Number.isInteger(t) || n < 1 || n > t) throw new RangeError(`there is no part ${n} of ${t}`);
  return Number.parseInt(hashOf(path).slice(0, 12), 16) % t === n - 1;
}
