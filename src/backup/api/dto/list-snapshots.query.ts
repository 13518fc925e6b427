import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import { MayBeAbsent } from '../../../wire/may-be-absent.decorator';

const YES_NO = ['true', 'false'] as const;

/** Which snapshots are wanted. */
export class ListSnapshotsQuery {
  @ApiPropertyOptional({ enum: YES_NO, example: 'false', description: '`true`: deleted ones too' })
  @MayBeAbsent()
  @IsIn(YES_NO)
  readonly deleted?: (typeof YES_NO)[number];
}
