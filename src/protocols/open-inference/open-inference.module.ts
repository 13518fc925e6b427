import { Module } from '@nestjs/common';
import { InferenceModule } from '../../inference/inference.module';
import { InferController } from './infer.controller';
import { OpenInferenceMetadataController } from './metadata.controller';
import { OpenInferenceCodec } from './open-inference-codec';
import { RepositoryController } from './repository.controller';
import { StatisticsController } from './statistics.controller';

@Module({
  imports: [InferenceModule],
  // the statistics first: nobody's model is called "stats"
  controllers: [StatisticsController, OpenInferenceMetadataController, InferController, RepositoryController],
  providers: [OpenInferenceCodec],
})
export class OpenInferenceModule {}
