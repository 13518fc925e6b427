import { type DynamicModule, Global, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { TieredCacheModule } from '../../src/cache/cache.module';
import { TieredCache } from '../../src/cache/tiered-cache';
import { CacheConfig, InferenceConfig, RuntimeConfig } from '../../src/config/app-config';
import { Admission } from '../../src/inference/admission';
import { AnsweredCalls } from '../../src/inference/answered-calls';
import { CacheCounts } from '../../src/inference/cache-counts';
import { CachedOutputs } from '../../src/inference/cached-outputs';
import { Coalescer } from '../../src/inference/coalescer';
import { Deadlines } from '../../src/inference/deadlines';
import type { CachedResult, InferenceCall, InferenceResult } from '../../src/inference/inference-call';
import { InferenceService } from '../../src/inference/inference.service';
import { PredictionCacheInterceptor } from '../../src/inference/prediction-cache.interceptor';
import { Exposition } from '../../src/metrics/exposition';
import { RegistryState } from '../../src/models/registry/registry-state';
import type { Tensor } from '../../src/runtime/tensor';

const GROUPS = [CacheConfig, InferenceConfig, RuntimeConfig];

@Global()
@Module({})
class SettingsModule {}

/** The way of a call from the codecs on, as the service has it: the cache, and what computes. */
export class PredictionHouse {
  /** What computes answers; a test may have it say something else. */
  readonly compute: jest.Mock<Promise<InferenceResult>, [InferenceCall]>;

  private constructor(
    readonly cache: TieredCache<readonly Tensor[]>,
    readonly counts: CacheCounts,
    private readonly interceptor: PredictionCacheInterceptor,
    service: InferenceService,
    readonly close: () => Promise<void>,
  ) {
    this.compute = jest.fn((call: InferenceCall) => service.runValid(call));
  }

  static async open(settings: Partial<CacheConfig & InferenceConfig> = {}): Promise<PredictionHouse> {
    const groups = GROUPS.map((group) => ({ provide: group, useValue: Object.assign(new group(), settings) }));
    const config: DynamicModule = { module: SettingsModule, providers: [...groups, Exposition], exports: [...GROUPS, Exposition] };
    const module = await Test.createTestingModule({
      imports: [config, TieredCacheModule.holding(new CachedOutputs())],
      providers: [RegistryState, AnsweredCalls, CacheCounts, Admission, Coalescer, Deadlines, InferenceService, PredictionCacheInterceptor],
    }).compile();
    const [counts, interceptor, service] = [module.get(CacheCounts), module.get(PredictionCacheInterceptor), module.get(InferenceService)];
    return new PredictionHouse(module.get(TieredCache), counts, interceptor, service, () => module.close());
  }

  ask(call: InferenceCall): Promise<CachedResult> {
    return this.interceptor.intercept(call, this.compute);
  }
}
