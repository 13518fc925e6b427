import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsString, Matches } from 'class-validator';
import type { CacheFigures } from '../cache/tiered-cache';
import { MayBeAbsent } from '../wire/may-be-absent.decorator';
import type { Outcomes } from './cache-counts';

const ANSWERS = { hits: 94, misses: 6, coalesced: 4, bypassed: 1 };
const MEMORY = { entries: 2, maxEntries: 100_000, bytes: 1824, maxBytes: 67_108_864, hits: 90, misses: 14, evictions: 0 };
const REDIS = { breaker: 'closed', listening: true, hits: 4, misses: 10, failures: 0, badEntries: 0 };

/** What the cache did for answers. */
export class AnswersView {
  @ApiProperty({ example: 94, description: 'Answered by what was kept' })
  readonly hits: number;

  @ApiProperty({ example: 6, description: 'Computed, and kept if it may be' })
  readonly misses: number;

  @ApiProperty({ example: 4, description: 'Answered by what was being computed for another call' })
  readonly coalesced: number;

  @ApiProperty({ example: 1, description: 'Computed without a look into the cache' })
  readonly bypassed: number;

  constructor({ hit, miss, coalesced, bypassed }: Outcomes) {
    [this.hits, this.misses, this.coalesced, this.bypassed] = [hit, miss, coalesced, bypassed];
  }
}

/** As `AnswersView`, of one model. */
export class ModelAnswersView extends AnswersView {
  @ApiProperty({ example: 'iris' })
  readonly model: string;

  constructor(model: string, outcomes: Outcomes) {
    super(outcomes);
    this.model = model;
  }
}

/** How the cache is doing. */
export class CacheView {
  @ApiProperty({ type: AnswersView, example: ANSWERS, description: 'Of all models that the caller may see, since this process started' })
  readonly answers: AnswersView;

  @ApiProperty({ type: [ModelAnswersView], description: 'Of each of them, by name' })
  readonly models: readonly ModelAnswersView[];

  @ApiProperty({ type: Object, example: MEMORY, description: 'The tier in this process: what it holds, and how often it was asked' })
  readonly memory: CacheFigures['memory'];

  @ApiPropertyOptional({ type: Object, example: REDIS, description: 'The tier that replicas share, where there is one' })
  readonly redis?: CacheFigures['redis'];

  constructor(models: readonly (readonly [model: string, outcomes: Outcomes])[], { memory, redis }: CacheFigures) {
    this.answers = new AnswersView(models.map(([, outcomes]) => outcomes).reduce(sum, { hit: 0, miss: 0, coalesced: 0, bypassed: 0 }));
    this.models = models.map(([model, outcomes]) => new ModelAnswersView(model, outcomes));
    this.memory = memory;
    if (redis !== undefined) this.redis = redis;
  }
}

/** What is to be forgotten. */
export class ClearQuery {
  @ApiPropertyOptional({ example: 'iris', description: 'Only answers of this model; without it, of all' })
  @MayBeAbsent()
  @IsString()
  readonly model?: string;

  @ApiPropertyOptional({ example: '1', description: 'Only those of this version of the model' })
  @MayBeAbsent()
  @Matches(/^[1-9][0-9]{0,8}$/, { message: 'version must be a whole number from 1 on' })
  readonly version?: string;
}

/** What was forgotten. */
export class ClearedView {
  @ApiProperty({ example: 2, description: 'How many answers, in this process and in Redis; other replicas forget theirs a moment later' })
  readonly removed: number;

  constructor(removed: number) {
    this.removed = removed;
  }
}

function sum(a: Outcomes, b: Outcomes): Outcomes {
  return { hit: a.hit + b.hit, miss: a.miss + b.miss, coalesced: a.coalesced + b.coalesced, bypassed: a.bypassed + b.bypassed };
}
