import { PickType } from '@nestjs/swagger';
import { ModelMetadata } from '../../upload/model-metadata';

/** What shall be said of a model; what is left out stays as it is. */
export class DescribeRequest extends PickType(ModelMetadata, ['description', 'tags'] as const) {}
