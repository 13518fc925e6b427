import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';

/** Says no from the first moment of a shutdown on, while requests are still answered. */
@Injectable()
export class DrainIndicator implements OnModuleDestroy {
  private draining = false;

  constructor(private readonly health: HealthIndicatorService) {}

  /** The first hook of a shutdown, before anything is closed. */
  onModuleDestroy(): void {
    this.draining = true;
  }

  check(): HealthIndicatorResult<'server'> {
    const session = this.health.check('server');
    return this.draining ? session.down({ draining: true }) : session.up();
  }
}
