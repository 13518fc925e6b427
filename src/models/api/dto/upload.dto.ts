import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { type Stage, STAGES } from '../../registry/registry-event';

/** The parts of an upload's form, for the API's documentation: UploadReader reads them. */
export class UploadForm {
  @ApiProperty({ example: 'iris', description: 'Name of the model: a-z, 0-9, ".", "_", "-"' })
  readonly name!: string;

  @ApiProperty({
    type: 'string',
    format: 'binary',
    description: 'The ONNX file, or a zip or tar.gz with exactly one in it; may come several times',
  })
  readonly file!: unknown;

  @ApiPropertyOptional({
    description: 'JSON; docs/MODELS.md lists its members, each optional: task, featureNames, labels, golden rows and others',
    example: '{"task":"classification","labels":["setosa","versicolor","virginica"]}',
  })
  readonly metadata?: string;

  @ApiPropertyOptional({ enum: STAGES, example: 'staging', description: 'Where the version shall stand at once; default staging' })
  readonly stage?: Stage;

  @ApiPropertyOptional({ example: 1, description: 'The number it shall have, if free; default the next one' })
  readonly version?: number;
}
