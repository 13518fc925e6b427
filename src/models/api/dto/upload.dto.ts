import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { type Stage, STAGES } from '../../registry/registry-event';

/** Fits the file of the example that a first start publishes, and differs from what that says: another version. */
const METADATA = JSON.stringify({
  task: 'classification',
  featureNames: ['sepal_length_cm', 'sepal_width_cm', 'petal_length_cm', 'petal_width_cm'],
  labels: ['setosa', 'versicolor', 'virginica'],
  golden: [{ inputs: { features: [[5.1, 3.5, 1.4, 0.2]] }, outputs: { label: [0] } }],
});

/** The parts of an upload's form, for the API's documentation: UploadReader reads them. */
export class UploadForm {
  @ApiProperty({ example: 'iris', description: 'Name of the model: a-z, 0-9, ".", "_", "-"' })
  readonly name!: string;

  @ApiProperty({
    type: 'string',
    format: 'binary',
    description:
      'An ONNX file, or model.json of TensorFlow.js and its weights; or a zip or tar.gz with exactly one model in it; may come several times',
  })
  readonly file!: unknown;

  @ApiPropertyOptional({
    description: 'JSON; docs/MODELS.md lists its members, each optional: task, featureNames, labels, golden rows and others',
    example: METADATA,
  })
  readonly metadata?: string;

  @ApiPropertyOptional({ enum: STAGES, example: 'staging', description: 'Where the version shall stand at once; default staging' })
  readonly stage?: Stage;

  @ApiPropertyOptional({ example: 2, description: 'The number it shall have, if free; default the next one' })
  readonly version?: number;
}
