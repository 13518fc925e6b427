import { Controller, Get, Param } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Scope } from '../../auth/scope.decorator';
import { Refuses } from '../../errors/refuses.decorator';
import { modelName } from '../../models/model-name';
import { RegistryState } from '../../models/registry/registry-state';
import { selectVersion } from '../../models/serving/version-selector';
import { modelSpec } from './model-spec';
import { LABEL, LABEL_UNKNOWN, MODEL, MODEL_UNKNOWN, NOTHING_IN_PRODUCTION, VERSION, VERSION_UNKNOWN } from './path-parameters';
import { selectorOf, type Target } from './target';

const SIGNATURE = {
  inputs: [{ name: 'features', datatype: 'FP32', shape: [-1, 4] }],
  outputs: [{ name: 'probabilities', datatype: 'FP32', shape: [-1, 3] }],
} as const;
const METADATA = ApiOkResponse({
  schema: { type: 'object', example: modelSpec({ model: 'iris', version: 1, signature: SIGNATURE }) },
});

/** What models take and give. */
@ApiTags('tensorflow serving')
@Controller('v1/models')
export class TensorflowMetadataController {
  constructor(private readonly state: RegistryState) {}

  @Get(':model/metadata')
  @Scope('models:read', 'predict')
  @MODEL
  @ApiOperation({ summary: 'What the production version of a model takes and gives' })
  @METADATA
  @Refuses(...MODEL_UNKNOWN, NOTHING_IN_PRODUCTION)
  model(@Param() target: Target): object {
    return this.describe(target);
  }

  @Get(':model/versions/:version/metadata')
  @Scope('models:read', 'predict')
  @MODEL
  @VERSION
  @ApiOperation({ summary: 'What a version takes and gives' })
  @METADATA
  @Refuses(...MODEL_UNKNOWN, ...VERSION_UNKNOWN)
  version(@Param() target: Target): object {
    return this.describe(target);
  }

  @Get(':model/labels/:label/metadata')
  @Scope('models:read', 'predict')
  @MODEL
  @LABEL
  @ApiOperation({ summary: 'What the version that a label points at takes and gives' })
  @METADATA
  @Refuses(...MODEL_UNKNOWN, ...LABEL_UNKNOWN)
  label(@Param() target: Target): object {
    return this.describe(target);
  }

  private describe(target: Target): object {
    return modelSpec(selectVersion(this.state, modelName(target.model, 'model'), selectorOf(target)));
  }
}
