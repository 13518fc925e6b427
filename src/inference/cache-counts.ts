import { Injectable } from '@nestjs/common';
import { Exposition, type Series } from '../metrics/exposition';
import { RegistryState } from '../models/registry/registry-state';

const OUTCOMES = ['hit', 'miss', 'coalesced', 'bypassed'] as const;

/** What the cache does for an answer, as figures name it. */
export type Outcome = (typeof OUTCOMES)[number];

/** How often the cache did what. */
export type Outcomes = Readonly<Record<Outcome, number>>;

/** What the cache did since this process started, for every model that there is. */
@Injectable()
export class CacheCounts {
  private readonly byModel = new Map<string, Record<Outcome, number>>();

  constructor(
    exposition: Exposition,
    private readonly state: RegistryState,
  ) {
    const help = 'Predictions by model and by what the cache did for them: hit, miss, coalesced, bypassed.';
    exposition.addCounter({ name: 'prediction_cache_answers_total', help }, () => this.read());
  }

  count(model: string, outcome: Outcome): void {
    let outcomes = this.byModel.get(model);
    if (outcomes === undefined) this.byModel.set(model, (outcomes = none()));
    outcomes[outcome]++;
  }

  of(model: string): Outcomes {
    return this.byModel.get(model) ?? none();
  }

  /** Lets go of models that there are no more: so there are never more series than models. */
  tidy(): void {
    for (const model of this.byModel.keys()) if (this.state.find(model) === undefined) this.byModel.delete(model);
  }

  private *read(): Iterable<Series<number>> {
    this.tidy(); // what was still running when its model was deleted counts as well
    for (const [model, outcomes] of this.byModel) {
      for (const outcome of OUTCOMES) if (outcomes[outcome] > 0) yield [{ model, outcome }, outcomes[outcome]];
    }
  }
}

function none(): Record<Outcome, number> {
  return { hit: 0, miss: 0, coalesced: 0, bypassed: 0 };
}
