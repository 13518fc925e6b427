import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { BringUp } from '../models/serving/bring-up';
import { ModelCatalog } from '../models/serving/model-catalog';
import { INSTALLED_ENGINES } from '../runtime/installed-engines';

/** Whether what must be served is served. A broken model that nobody declared as required is named, and harms nothing else. */
@Injectable()
export class ModelsIndicator {
  constructor(
    private readonly health: HealthIndicatorService,
    private readonly catalog: ModelCatalog,
    private readonly bringUp: BringUp,
  ) {}

  check(): HealthIndicatorResult<'models'> {
    const { serving, broken, memory } = this.catalog;
    const figures = { serving: serving.length, broken, memory, engines: INSTALLED_ENGINES };
    const session = this.health.check('models');
    if (!this.bringUp.complete) return session.down({ ...figures, waitingFor: this.bringUp.missing });
    return broken.length > 0 ? session.degraded(figures) : session.up(figures);
  }
}
