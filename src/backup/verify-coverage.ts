import type { StoredEvent } from '../storage/event-log.port';
import type { SnapshotVerified } from './snapshot/backup-history';
import type { Subset } from './verify/subset';

const DAYS_30_MS = 30 * 86_400_000;

type Read = Pick<SnapshotVerified, 'subset'> & { readonly at: number };

/** How much of what is stored was read and found good in the last 30 days, as the log of `backups/` tells it. */
export class VerifyCoverage {
  private reads: readonly Read[] = [];
  private last: Subset | undefined;

  apply(event: StoredEvent): void {
    const { kind, level, subset, at } = event as StoredEvent & SnapshotVerified;
    if (kind !== 'snapshot.verified' || level !== 'data') return;
    this.last = subset ?? this.last;
    this.reads = [...this.reads, { at: Date.parse(at), ...(subset && { subset }) }];
  }

  /** The part after the one that was read last, of so many: after `t` of them every object was read once. */
  next(t: number): Subset {
    return { n: this.last?.t === t ? (this.last.n % t) + 1 : 1, t };
  }

  /** 0 to 1: parts of one rotation count together; the newest whole read counts whole. */
  ratio(now: Date): number {
    this.reads = this.reads.filter(({ at }) => at > now.getTime() - DAYS_30_MS);
    if (this.reads.some(({ subset }) => subset === undefined)) return 1;
    const rotations = Map.groupBy(this.reads, ({ subset }) => subset?.t ?? 1);
    const shares = [...rotations].map(([t, reads]) => new Set(reads.map(({ subset }) => subset?.n)).size / t);
    return Math.max(0, ...shares);
  }
}
