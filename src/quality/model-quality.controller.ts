import { Controller, Get, Param } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { Scope } from '../auth/scope.decorator';
import { Refuses } from '../errors/refuses.decorator';
import { modelName } from '../models/model-name';
import { InvalidName, ModelNotFound } from '../models/models.errors';
import { RegistryState } from '../models/registry/registry-state';
import { FeedbackWindows } from './feedback-windows';
import { InputDrift } from './input-drift';
import { ModelQualityView, VersionQualityView } from './quality-view';

/** How good the answers of a model are. */
@ApiTags('models')
@Controller('api/v1/models/:model/quality')
export class ModelQualityController {
  constructor(
    private readonly state: RegistryState,
    private readonly windows: FeedbackWindows,
    private readonly drift: InputDrift,
  ) {}

  @Get()
  @Scope('models:read', 'metrics')
  @ApiParam({ name: 'model', type: String, example: 'iris' })
  @ApiOperation({
    summary: 'The quality of its answers',
    description: 'What was told of predictions and how far inputs have drifted, by version. Of this process, since it started.',
  })
  @ApiOkResponse({ type: ModelQualityView })
  @Refuses(new InvalidName('model', 'a name', 'Iris!'), new ModelNotFound('iris'))
  quality(@Param('model') text: string): ModelQualityView {
    const { name, versions } = this.state.require(modelName(text, 'model'));
    const views = [...versions.values()].map((record) => new VersionQualityView(record, this.windows.of(record), this.drift.of(record)));
    return new ModelQualityView(name, views);
  }
}
