import { Controller, Get, Param } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { type Caller, CurrentCaller } from '../../auth/caller';
import { Scope } from '../../auth/scope.decorator';
import { Refuses } from '../../errors/refuses.decorator';
import { modelName } from '../../models/model-name';
import { RegistryState } from '../../models/registry/registry-state';
import { ModelCatalog } from '../../models/serving/model-catalog';
import { selectVersion } from '../../models/serving/version-selector';
import { type ModelStatus, modelStatus } from './model-status';
import { LABEL, LABEL_UNKNOWN, MODEL, MODEL_UNKNOWN, VERSION, VERSION_UNKNOWN } from './path-parameters';
import { selectorOf, type Target } from './target';

const AVAILABLE = { version: '1', state: 'AVAILABLE', status: { error_code: 'OK', error_message: '' } };
const STATUS = ApiOkResponse({
  description: 'TensorFlow Serving’s answer and KServe’s in one',
  schema: { type: 'object', example: { model_version_status: [AVAILABLE], name: 'iris', ready: true } },
});

/** What is served, and how it stands. */
@ApiTags('tensorflow serving')
@Controller('v1/models')
export class TensorflowStatusController {
  constructor(
    private readonly state: RegistryState,
    private readonly catalog: ModelCatalog,
  ) {}

  @Get()
  @Scope('models:read', 'predict')
  @ApiOperation({ summary: 'Names of the models in service', description: 'As KServe (v1) has it.' })
  @ApiOkResponse({ schema: { type: 'object', example: { models: ['iris'] } } })
  list(@CurrentCaller() caller: Caller): { readonly models: readonly string[] } {
    return { models: this.catalog.serving.filter((name) => caller.mayUse(name)).toSorted() };
  }

  @Get(':model')
  @Scope('models:read', 'predict')
  @MODEL
  @ApiOperation({
    summary: 'How the versions of a model stand, newest first',
    description: 'Always 200 where the model is known; `ready`: whether a call that names no version is answered.',
  })
  @STATUS
  @Refuses(...MODEL_UNKNOWN)
  model(@Param('model') name: string): ModelStatus {
    const { versions, production } = this.state.require(modelName(name, 'model'));
    return modelStatus(name, [...versions.values()].reverse(), production, (version) => this.catalog.stateOf(version));
  }

  @Get(':model/versions/:version')
  @Scope('models:read', 'predict')
  @MODEL
  @VERSION
  @ApiOperation({ summary: 'How a version stands' })
  @STATUS
  @Refuses(...MODEL_UNKNOWN, ...VERSION_UNKNOWN)
  version(@Param() target: Target): ModelStatus {
    return this.statusOf(target);
  }

  @Get(':model/labels/:label')
  @Scope('models:read', 'predict')
  @MODEL
  @LABEL
  @ApiOperation({ summary: 'How the version that a label points at stands' })
  @STATUS
  @Refuses(...MODEL_UNKNOWN, ...LABEL_UNKNOWN)
  label(@Param() target: Target): ModelStatus {
    return this.statusOf(target);
  }

  private statusOf(target: Target): ModelStatus {
    const version = selectVersion(this.state, modelName(target.model, 'model'), selectorOf(target));
    return modelStatus(version.model, [version], version, (each) => this.catalog.stateOf(each));
  }
}
