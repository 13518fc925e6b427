import { Controller, Get, Param } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { type Caller, CurrentCaller } from '../../auth/caller';
import { Scope } from '../../auth/scope.decorator';
import { SERVICE } from '../../config/service';
import { Refuses } from '../../errors/refuses.decorator';
import { modelName } from '../../models/model-name';
import {
  AliasNotFound,
  InvalidName,
  ModelNotFound,
  ModelUnavailable,
  NoProductionVersion,
  VersionNotFound,
} from '../../models/models.errors';
import type { VersionRecord } from '../../models/registry/registry-records';
import { RegistryState } from '../../models/registry/registry-state';
import { ModelCatalog } from '../../models/serving/model-catalog';
import { selectVersion } from '../../models/serving/version-selector';
import { configOf, type ModelConfig } from './model-config';
import { metadataAnswer, type ModelMetadataAnswer } from './model-metadata';
import { versionParameter } from './version-parameter';

const EXTENSIONS = [
  'binary_tensor_data',
  'classification',
  'model_configuration',
  'model_repository',
  'model_repository(unload_dependents)',
  'parameters',
  'statistics',
];
const MODEL = ApiParam({ name: 'model', type: String, example: 'iris' });
const VERSION = ApiParam({ name: 'version', type: String, example: '1', description: 'A number, or an alias' });
const IRIS = {
  name: 'iris',
  versions: ['1'],
  platform: 'onnx_onnxv1',
  inputs: [{ name: 'X', datatype: 'FP32', shape: [-1, 4] }],
  outputs: [{ name: 'probabilities', datatype: 'FP32', shape: [-1, 3] }],
  properties: { version: '1', stage: 'production' },
};
const CONFIG = {
  name: 'iris',
  platform: 'onnxruntime_onnx',
  max_batch_size: 0,
  input: [{ name: 'X', data_type: 'TYPE_FP32', dims: [-1, 4] }],
};
const NOT_FOUND = [new InvalidName('model', 'a name', 'Iris!'), new ModelNotFound('iris'), new NoProductionVersion('iris', [1])];
const NO_VERSION = [new VersionNotFound('iris', 9, [1]), new AliasNotFound('iris', 'champion', [])];
const UNAVAILABLE = new ModelUnavailable('iris', 1, 'The stored file of the model is not what was uploaded');

/** What the server is, and what its models take and give. */
@ApiTags('open inference')
@Controller('v2')
export class OpenInferenceMetadataController {
  constructor(
    private readonly state: RegistryState,
    private readonly catalog: ModelCatalog,
  ) {}

  @Get()
  @Scope('models:read', 'predict', 'metrics')
  @ApiOperation({ summary: 'Name, version and extensions of this server' })
  @ApiOkResponse({ schema: { type: 'object', example: { ...SERVICE, extensions: EXTENSIONS } } })
  server(): object {
    return { ...SERVICE, extensions: EXTENSIONS };
  }

  @Get('models')
  @Scope('models:read', 'predict')
  @ApiOperation({ summary: 'Names of the models in service' })
  @ApiOkResponse({ schema: { type: 'object', example: { models: ['iris'] } } })
  models(@CurrentCaller() caller: Caller): { readonly models: readonly string[] } {
    return { models: this.catalog.serving.filter((name) => caller.mayUse(name)).toSorted() };
  }

  @Get('models/:model')
  @Scope('models:read', 'predict')
  @MODEL
  @ApiOperation({ summary: 'What the production version of a model takes and gives' })
  @ApiOkResponse({ schema: { type: 'object', example: IRIS } })
  @Refuses(...NOT_FOUND)
  model(@Param('model') model: string): ModelMetadataAnswer {
    return this.describe(this.find(model));
  }

  @Get('models/:model/versions/:version')
  @Scope('models:read', 'predict')
  @MODEL
  @VERSION
  @ApiOperation({ summary: 'What a version of a model takes and gives' })
  @ApiOkResponse({ schema: { type: 'object', example: IRIS } })
  @Refuses(...NOT_FOUND, ...NO_VERSION)
  version(@Param('model') model: string, @Param('version') version: string): ModelMetadataAnswer {
    return this.describe(this.find(model, version));
  }

  @Get('models/:model/config')
  @Scope('models:read', 'predict')
  @MODEL
  @ApiOperation({ summary: 'The production version of a model as Triton would configure it' })
  @ApiOkResponse({ schema: { type: 'object', example: CONFIG } })
  @Refuses(...NOT_FOUND)
  modelConfig(@Param('model') model: string): ModelConfig {
    return configOf(this.find(model));
  }

  @Get('models/:model/versions/:version/config')
  @Scope('models:read', 'predict')
  @MODEL
  @VERSION
  @ApiOperation({ summary: 'A version of a model as Triton would configure it' })
  @ApiOkResponse({ schema: { type: 'object', example: CONFIG } })
  @Refuses(...NOT_FOUND, ...NO_VERSION)
  versionConfig(@Param('model') model: string, @Param('version') version: string): ModelConfig {
    return configOf(this.find(model, version));
  }

  @Get('models/:model/ready')
  @Scope('models:read', 'predict')
  @MODEL
  @ApiOperation({ summary: 'Whether the production version of a model answers' })
  @ApiOkResponse({ schema: { type: 'object', example: { name: 'iris', ready: true } } })
  @Refuses(...NOT_FOUND, UNAVAILABLE)
  modelReady(@Param('model') model: string): object {
    return this.requireReady(this.find(model));
  }

  @Get('models/:model/versions/:version/ready')
  @Scope('models:read', 'predict')
  @MODEL
  @VERSION
  @ApiOperation({ summary: 'Whether a version of a model answers' })
  @ApiOkResponse({ schema: { type: 'object', example: { name: 'iris', ready: true } } })
  @Refuses(...NOT_FOUND, ...NO_VERSION, UNAVAILABLE)
  versionReady(@Param('model') model: string, @Param('version') version: string): object {
    return this.requireReady(this.find(model, version));
  }

  private find(model: string, version?: string): VersionRecord {
    return selectVersion(this.state, modelName(model, 'model'), versionParameter(version));
  }

  private describe(version: VersionRecord): ModelMetadataAnswer {
    return metadataAnswer(this.state.require(version.model), version);
  }

  /** @throws ModelUnavailable */
  private requireReady(record: VersionRecord): object {
    const { state, reason = 'it is being loaded' } = this.catalog.stateOf(record);
    if (state !== 'READY') throw new ModelUnavailable(record.model, record.version, reason);
    return { name: record.model, ready: true };
  }
}
