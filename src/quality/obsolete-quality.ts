import { type BeforeApplicationShutdown, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import type { VersionRecord } from '../models/registry/registry-records';
import { RegistryState } from '../models/registry/registry-state';
import { FeedbackWindows } from './feedback-windows';
import { InputDrift } from './input-drift';
import { QualityMetrics } from './quality.metrics';

/** Forgets what is known of versions that there are no more, in the moment in which this process hears of it. */
@Injectable()
export class ObsoleteQuality implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private unlisten: (() => void) | undefined;

  constructor(
    private readonly state: RegistryState,
    private readonly windows: FeedbackWindows,
    private readonly drift: InputDrift,
    private readonly metrics: QualityMetrics,
  ) {}

  onApplicationBootstrap(): void {
    this.unlisten = this.state.onApplied(() => this.forgetGone());
  }

  beforeApplicationShutdown(): void {
    this.unlisten?.();
  }

  private forgetGone(): void {
    for (const record of this.windows.all()) if (!this.isThere(record)) this.forget(record);
    for (const record of this.drift.all()) if (!this.isThere(record)) this.forget(record);
  }

  /** A restore puts another in the place of a version, even of an equal one. */
  private isThere(record: VersionRecord): boolean {
    return this.state.find(record.model)?.versions.get(record.version) === record;
  }

  private forget(record: VersionRecord): void {
    this.windows.forget(record);
    this.drift.forget(record);
    this.metrics.forget(record);
  }
}
