import { Injectable, ServiceUnavailableException } from '@nestjs/common';
import { type HealthCheckResult, HealthCheckService, type HealthIndicatorFunction } from '@nestjs/terminus';
import { BackupIndicator } from './backup.indicator';
import { DrainIndicator } from './drain.indicator';
import { NotReady } from './health.errors';
import { ModelsIndicator } from './models.indicator';
import { StorageIndicator } from './storage.indicator';

/** A probe's answer: yes, and what is impaired all the same. */
export interface Ready {
  readonly status: 'ok' | 'degraded';
  readonly degraded: readonly string[];
}

/** Asks everything that knows of the service's health. */
@Injectable()
export class Readiness {
  constructor(
    private readonly health: HealthCheckService,
    private readonly models: ModelsIndicator,
    private readonly storage: StorageIndicator,
    private readonly drain: DrainIndicator,
    private readonly backup: BackupIndicator,
  ) {}

  /** Whether to send traffic. @param write say no also where the registry takes no changes @throws NotReady */
  async probe(write: boolean): Promise<Ready> {
    const { status, details } = await this.ask([]);
    const degraded = Object.keys(details).filter((name) => details[name]?.status === 'degraded');
    if (write && degraded.includes('storage')) throw new NotReady(details);
    return { status: status === 'degraded' ? 'degraded' : 'ok', degraded };
  }

  /** What each check says, those too on which nothing depends that is served. @throws NotReady */
  check(): Promise<HealthCheckResult> {
    return this.ask([() => this.backup.check()]);
  }

  /** Terminus tells a failure by an exception of Nest's; this house has one form of errors. @throws NotReady */
  private async ask(more: readonly HealthIndicatorFunction[]): Promise<HealthCheckResult> {
    try {
      return await this.health.check([() => this.drain.check(), () => this.models.check(), () => this.storage.check(), ...more]);
    } catch (error) {
      if (!(error instanceof ServiceUnavailableException)) throw error;
      throw new NotReady((error.getResponse() as HealthCheckResult).details);
    }
  }
}
