import { Controller, Get, Param } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { type Caller, CurrentCaller } from '../../auth/caller';
import { Scope } from '../../auth/scope.decorator';
import { Refuses } from '../../errors/refuses.decorator';
import { CallStatistics, VersionFigures } from '../../inference/call-statistics';
import { modelName } from '../../models/model-name';
import { AliasNotFound, InvalidName, ModelNotFound, VersionNotFound } from '../../models/models.errors';
import type { ModelRecord, VersionRecord } from '../../models/registry/registry-records';
import { RegistryState } from '../../models/registry/registry-state';
import { selectVersion } from '../../models/serving/version-selector';
import { type ModelStatistics, statisticsOf } from './statistics';
import { versionParameter } from './version-parameter';

/** Figures of models. */
interface StatisticsAnswer {
  readonly model_stats: readonly ModelStatistics[];
}

const MODEL = ApiParam({ name: 'model', type: String, example: 'iris' });
const EXAMPLE = statisticsOf({ model: 'iris', version: 1 } as VersionRecord, new VersionFigures());
const STATISTICS = ApiOkResponse({ schema: { type: 'object', example: { model_stats: [EXAMPLE] } } });
const NOT_FOUND = [new InvalidName('model', 'a name', 'Iris!'), new ModelNotFound('iris')];

/** What was asked and how long it took, since this process started: versions in production, and those that were asked. */
@ApiTags('open inference')
@Controller('v2/models')
export class StatisticsController {
  constructor(
    private readonly state: RegistryState,
    private readonly statistics: CallStatistics,
  ) {}

  @Get('stats')
  @Scope('models:read', 'metrics')
  @ApiOperation({ summary: 'Figures of all models' })
  @STATISTICS
  all(@CurrentCaller() caller: Caller): StatisticsAnswer {
    const models = this.state.list().filter(({ name }) => caller.mayUse(name));
    return this.answer(models.flatMap((model) => this.asked(model)));
  }

  @Get(':model/stats')
  @Scope('models:read', 'metrics')
  @MODEL
  @ApiOperation({ summary: 'Figures of a model' })
  @STATISTICS
  @Refuses(...NOT_FOUND)
  model(@Param('model') model: string): StatisticsAnswer {
    return this.answer(this.asked(this.state.require(modelName(model, 'model'))));
  }

  @Get(':model/versions/:version/stats')
  @Scope('models:read', 'metrics')
  @MODEL
  @ApiParam({ name: 'version', type: String, example: '1', description: 'A number, or an alias' })
  @ApiOperation({ summary: 'Figures of a version' })
  @STATISTICS
  @Refuses(...NOT_FOUND, new VersionNotFound('iris', 9, [1]), new AliasNotFound('iris', 'champion', []))
  version(@Param('model') model: string, @Param('version') version: string): StatisticsAnswer {
    return this.answer([selectVersion(this.state, modelName(model, 'model'), versionParameter(version))]);
  }

  private asked({ production, versions }: ModelRecord): readonly VersionRecord[] {
    return [...versions.values()].filter((record) => record === production || this.statistics.wasAsked(record));
  }

  private answer(versions: readonly VersionRecord[]): StatisticsAnswer {
    return { model_stats: versions.map((record) => statisticsOf(record, this.statistics.of(record))) };
  }
}
