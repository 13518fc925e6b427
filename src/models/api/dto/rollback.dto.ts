import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsString, MaxLength } from 'class-validator';
import { MayBeAbsent } from '../../../wire/may-be-absent.decorator';

/** Why the present version has to go. */
export class RollbackRequest {
  @ApiPropertyOptional({ example: 'wrong since the upgrade of the feed' })
  @MayBeAbsent()
  @IsString()
  @MaxLength(1024)
  readonly reason?: string;
}
