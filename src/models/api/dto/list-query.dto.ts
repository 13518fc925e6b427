import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsString, Matches, MaxLength } from 'class-validator';
import { MayBeAbsent } from '../../../wire/may-be-absent.decorator';

/** In which order models are listed; with a minus the greatest first. */
export const SORTS = ['name', '-name', 'createdAt', '-createdAt', 'updatedAt', '-updatedAt'] as const;

const YES_NO = ['true', 'false'] as const;

/** Which models are wanted, in which order, how many at once. */
export class ListQuery {
  @ApiPropertyOptional({ example: 'iris', description: 'Only models whose name or description contains this, in capitals or not' })
  @MayBeAbsent()
  @IsString()
  @MaxLength(128)
  readonly search?: string;

  @ApiPropertyOptional({ example: 'example', description: 'Only models with this tag; of several, separated by commas, all of them' })
  @MayBeAbsent()
  @IsString()
  @MaxLength(1024)
  readonly tag?: string;

  @ApiPropertyOptional({ enum: YES_NO, description: 'Only models with a version in production, or only those without' })
  @MayBeAbsent()
  @IsIn(YES_NO)
  readonly production?: (typeof YES_NO)[number];

  @ApiPropertyOptional({ enum: YES_NO, example: 'false', description: '`true`: the deleted models, which may come back' })
  @MayBeAbsent()
  @IsIn(YES_NO)
  readonly deleted?: (typeof YES_NO)[number];

  @ApiPropertyOptional({ enum: SORTS, example: 'name', description: 'Default `name`' })
  @MayBeAbsent()
  @IsIn(SORTS)
  readonly sort?: (typeof SORTS)[number];

  @ApiPropertyOptional({ example: '100', description: 'How many at most, 1 to 1000; default 100' })
  @MayBeAbsent()
  @Matches(/^([1-9][0-9]{0,2}|1000)$/, { message: 'limit must be a whole number from 1 to 1000' })
  readonly limit?: string;

  @ApiPropertyOptional({ description: 'Only what comes after this: `next` of the page before' })
  @MayBeAbsent()
  @IsString()
  @MaxLength(128)
  readonly after?: string;
}
