import { Controller, Delete, Get, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Forbidden } from '../auth/auth.errors';
import { type Caller, CurrentCaller } from '../auth/caller';
import { Scope } from '../auth/scope.decorator';
import { TieredCache } from '../cache/tiered-cache';
import { Refuses } from '../errors/refuses.decorator';
import { modelName } from '../models/model-name';
import { InvalidName, ModelNotFound, VersionNotFound } from '../models/models.errors';
import type { VersionRecord } from '../models/registry/registry-records';
import { RegistryState } from '../models/registry/registry-state';
import { checked } from '../wire/checked';
import { MalformedBody } from '../wire/wire.errors';
import { CacheCounts } from './cache-counts';
import { CacheView, ClearedView, ClearQuery } from './cache-view';
import { keysOf } from './prediction-key';

const versionAlone = (): MalformedBody =>
  new MalformedBody('A version is one of a model', { field: 'query.model', expected: 'a name', actual: 'missing' });

/** What is kept of answers: figures, and how to forget it. */
@ApiTags('operation')
@Controller('api/v1/cache')
export class CacheController {
  constructor(
    private readonly cache: TieredCache<unknown>,
    private readonly counts: CacheCounts,
    private readonly state: RegistryState,
  ) {}

  @Get()
  @Scope('cache:admin', 'metrics')
  @ApiOperation({ summary: 'Figures of the prediction cache', description: 'Of this process, since it started.' })
  @ApiOkResponse({ type: CacheView })
  figures(@CurrentCaller() caller: Caller): CacheView {
    const names = this.state.list().flatMap(({ name }) => (caller.mayUse(name) ? [name] : []));
    return new CacheView(
      names.map((name) => [name, this.counts.of(name)] as const),
      this.cache.figures(),
    );
  }

  @Delete()
  @Scope('cache:admin')
  @ApiOperation({
    summary: 'Forget answers',
    description: 'Never needed for correct answers: a key names what computes. Models with the same executable share their answers.',
  })
  @ApiOkResponse({ type: ClearedView })
  @Refuses(versionAlone(), new InvalidName('model', 'a name', 'Iris!'), new ModelNotFound('iris'), new VersionNotFound('iris', 9, [1, 2]))
  async clear(@Query() query: ClearQuery, @CurrentCaller() caller: Caller): Promise<ClearedView> {
    const { model, version } = checked(ClearQuery, query, 'query');
    if (model === undefined && version !== undefined) throw versionAlone();
    if (model === undefined) return new ClearedView(await this.clearAll(caller));
    const name = modelName(model, 'model');
    if (!caller.mayUse(name)) throw new Forbidden();
    const versions =
      version === undefined ? [...this.state.require(name).versions.values()] : [this.state.requireVersion(name, Number(version))];
    return new ClearedView(await this.clearVersions(versions));
  }

  /** Of a key that may use some models, those. */
  private clearAll(caller: Caller): Promise<number> {
    const models = this.state.list();
    if (models.every(({ name }) => caller.mayUse(name))) return this.cache.clear();
    return this.clearVersions(models.filter(({ name }) => caller.mayUse(name)).flatMap(({ versions }) => [...versions.values()]));
  }

  private async clearVersions(versions: readonly VersionRecord[]): Promise<number> {
    let removed = 0;
    for (const executable of new Set(versions.map((version) => version.executable))) removed += await this.cache.clear(keysOf(executable));
    return removed;
  }
}
