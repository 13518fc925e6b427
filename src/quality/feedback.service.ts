import { Injectable } from '@nestjs/common';
import { Forbidden } from '../auth/auth.errors';
import type { Caller } from '../auth/caller';
import type { VersionRecord } from '../models/registry/registry-records';
import { featureRow } from './feedback-features';
import type { FeedbackItem } from './feedback-item';
import { FeedbackWindows } from './feedback-windows';
import { InputDrift } from './input-drift';
import { QualityMetrics } from './quality.metrics';
import { matrixOf } from './watched-matrix';

/** Takes what callers tell of predictions: all items of a request, or none. */
@Injectable()
export class FeedbackService {
  constructor(
    private readonly windows: FeedbackWindows,
    private readonly drift: InputDrift,
    private readonly metrics: QualityMetrics,
  ) {}

  /** @returns how many items each version got @throws Forbidden, ModelNotFound, VersionNotFound, FeedbackMismatch; then nothing was counted */
  count(items: readonly FeedbackItem[], caller: Caller): ReadonlyMap<VersionRecord, number> {
    if (!items.every(({ model }) => caller.mayUse(model))) throw new Forbidden();
    const checked = items.map((item) => {
      const record = this.windows.check(item);
      return { item, record, row: featureRow(item, matrixOf(record)) };
    });
    const counts = new Map<VersionRecord, number>();
    for (const { item, record, row } of checked) {
      this.windows.add(record, item);
      if (row !== undefined) this.drift.lookAtRow(record, row);
      counts.set(record, (counts.get(record) ?? 0) + 1);
    }
    for (const [record, count] of counts) this.metrics.countFeedback(record, count);
    return counts;
  }
}
