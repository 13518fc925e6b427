import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsIn, IsString, MaxLength } from 'class-validator';
import { MayBeAbsent } from '../../../wire/may-be-absent.decorator';
import { type Stage, STAGES } from '../../registry/registry-event';

/** Where a version shall stand, and why. */
export class PromoteRequest {
  @ApiProperty({ enum: STAGES, example: 'production' })
  @IsIn(STAGES)
  readonly stage!: Stage;

  @ApiPropertyOptional({ example: 'better on the hold-out set' })
  @MayBeAbsent()
  @IsString()
  @MaxLength(1024)
  readonly reason?: string;

  @ApiPropertyOptional({ example: false, description: 'Whether it goes into production whatever stands in its way; default no' })
  @MayBeAbsent()
  @IsBoolean()
  readonly force?: boolean;
}
