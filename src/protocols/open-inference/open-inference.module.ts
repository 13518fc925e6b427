import { Module } from '@nestjs/common';
import { InferenceModule } from '../../inference/inference.module';
import { OpenInferenceMetadataController } from './metadata.controller';
import { RepositoryController } from './repository.controller';
import { StatisticsController } from './statistics.controller';

@Module({
  imports: [InferenceModule],
  // the statistics first: nobody's model is called "stats"
  controllers: [StatisticsController, OpenInferenceMetadataController, RepositoryController],
})
export class OpenInferenceModule {}
