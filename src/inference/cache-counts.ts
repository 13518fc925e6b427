import { Injectable } from '@nestjs/common';
import { InjectMetric, makeCounterProvider } from '@willsoto/nestjs-prometheus';
import type { Counter } from 'prom-client';
import { RegistryState } from '../models/registry/registry-state';

const ANSWERS = 'prediction_cache_answers_total';
const OUTCOMES = ['hit', 'miss', 'coalesced', 'bypassed'] as const;

/** What Prometheus is told of the prediction cache. */
export const CACHE_ANSWERS = makeCounterProvider({
  name: ANSWERS,
  help: 'Predictions that were answered, by model and by what the cache did: hit, miss, coalesced, bypassed.',
  labelNames: ['model', 'outcome'],
});

/** What the cache does for an answer, as figures name it. */
export type Outcome = (typeof OUTCOMES)[number];

/** How often the cache did what. */
export type Outcomes = Readonly<Record<Outcome, number>>;

/** What the cache did for one model. Its labels are looked up once. */
class ModelCounts {
  readonly outcomes: Record<Outcome, number> = { hit: 0, miss: 0, coalesced: 0, bypassed: 0 };
  private readonly series: Readonly<Record<Outcome, Counter.Internal>>;

  constructor(model: string, answers: Counter) {
    const of = (outcome: Outcome): Counter.Internal => answers.labels({ model, outcome });
    this.series = { hit: of('hit'), miss: of('miss'), coalesced: of('coalesced'), bypassed: of('bypassed') };
  }

  count(outcome: Outcome): void {
    this.outcomes[outcome]++;
    this.series[outcome].inc();
  }
}

/** What the cache did since this process started, for every model that there is. */
@Injectable()
export class CacheCounts {
  private readonly byModel = new Map<string, ModelCounts>();

  constructor(
    @InjectMetric(ANSWERS) private readonly answers: Counter,
    private readonly state: RegistryState,
  ) {}

  count(model: string, outcome: Outcome): void {
    let counts = this.byModel.get(model);
    if (counts === undefined) this.byModel.set(model, (counts = new ModelCounts(model, this.answers)));
    counts.count(outcome);
  }

  of(model: string): Outcomes {
    return this.byModel.get(model)?.outcomes ?? { hit: 0, miss: 0, coalesced: 0, bypassed: 0 };
  }

  /** Lets go of models that there are no more: so there are never more series than models. */
  tidy(): void {
    const gone = [...this.byModel.keys()].filter((model) => this.state.find(model) === undefined);
    for (const model of gone) {
      this.byModel.delete(model);
      for (const outcome of OUTCOMES) this.answers.remove({ model, outcome });
    }
  }
}
