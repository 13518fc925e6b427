import { ModelQuarantined } from '../runtime.errors';

const STRIKES = 3;
/** How long an ended host counts against its model, ms. */
const WINDOW_MS = 60_000;
const FIRST_MS = 1000;
const LONGEST_MS = 300_000;

interface Record {
  /** `performance.now()` of the hosts that ended while they ran the model, the last minute only. */
  strikes: number[];
  /** How often it was locked up in a row. */
  times: number;
  until: number;
}

/**
 * Locks up models that end their hosts again and again, so that they do not keep the machine busy with new ones: after three ended
 * hosts within a minute for 1 s, then, if it goes on, for 2, 4 … 300 s. After each time one call may try.
 */
export class Quarantine {
  private readonly records = new Map<string, Record>();
  /** How often a model was locked up. */
  times = 0;

  /** A host ended while it ran this model. */
  strike(sha256: string, now = performance.now()): void {
    const record = this.records.get(sha256) ?? { strikes: [], times: 0, until: 0 };
    this.records.set(sha256, record);
    if (now - record.until > LONGEST_MS) record.times = 0;
    record.strikes = [...record.strikes.filter((at) => now - at < WINDOW_MS), now];
    // once locked up, a single strike is enough: the try failed
    if (record.times === 0 && record.strikes.length < STRIKES) return;
    record.until = now + Math.min(FIRST_MS * 2 ** record.times, LONGEST_MS);
    record.times++;
    this.times++;
  }

  /** How many models are locked up. */
  size(now = performance.now()): number {
    return [...this.records.values()].filter(({ until }) => now < until).length;
  }

  /** @throws ModelQuarantined while the model is locked up */
  require(sha256: string, now = performance.now()): void {
    const record = this.records.get(sha256);
    if (record !== undefined && now < record.until) throw new ModelQuarantined(Math.ceil((record.until - now) / 1000));
  }

  /** Nobody serves the model any more. */
  forget(sha256: string): void {
    this.records.delete(sha256);
  }
}
