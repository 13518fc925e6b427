import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsIn, Matches } from 'class-validator';
import { MayBeAbsent } from '../../../wire/may-be-absent.decorator';
import type { Subset } from '../../verify/subset';
import { PROBLEMS, type VerifyFinding, type VerifyReport } from '../../verify/verify-report';
import type { VerifyLevel } from '../../snapshot/snapshot-records';

const LEVELS = ['structure', 'data'] as const;

/** How closely a snapshot is to be looked at. */
export class VerifyRequest {
  @ApiPropertyOptional({
    enum: LEVELS,
    example: 'data',
    description: '`structure`: everything is there; `data` (default): and every byte is what it was',
  })
  @MayBeAbsent()
  @IsIn(LEVELS)
  readonly level?: VerifyLevel;

  @ApiPropertyOptional({
    example: '1/1',
    description: 'n/t, of the level `data`: only the n-th of t parts; after t calls every object was read once',
  })
  @MayBeAbsent()
  @Matches(/^[1-9][0-9]{0,3}\/[1-9][0-9]{0,3}$/, { message: 'subset must be n/t, as 3/7' })
  readonly subset?: string;

  @ApiPropertyOptional({ example: false, description: 'Also one that is not signed, though there is a key: it is older than the key' })
  @MayBeAbsent()
  @IsBoolean()
  readonly allowUnsigned?: boolean;
}

/** Something that is not as it should be. */
export class FindingView implements VerifyFinding {
  @ApiProperty({ example: 'blobs/sha256/9f/9f86d081884c7d65', description: 'Where it lies in a registry' })
  readonly object!: string;

  @ApiProperty({ example: 'blobs/sha256/9f/9f86d081884c7d65', description: 'Where it lies in `BACKUPS_DIR`' })
  readonly path!: string;

  @ApiProperty({ enum: PROBLEMS, example: 'digest' })
  readonly problem!: VerifyFinding['problem'];

  @ApiProperty({ example: 'its bytes are not those that were stored' })
  readonly detail!: string;
}

/** What a verification found. */
export class VerifyReportView {
  @ApiProperty({ example: '20261123T030000Z-42-0f3a' })
  readonly id: string;

  @ApiProperty({ enum: LEVELS, example: 'data' })
  readonly level: VerifyLevel;

  @ApiPropertyOptional({ type: Object, example: { n: 1, t: 7 } })
  readonly subset?: Subset;

  @ApiProperty({ example: true, description: 'Whether nothing was found' })
  readonly ok: boolean;

  @ApiPropertyOptional({ example: 'valid', description: '`valid`, `unsigned`, or `unchecked`: signed, and there is no key here' })
  readonly signature?: string;

  @ApiProperty({ type: [FindingView], example: [] })
  readonly findings: readonly FindingView[];

  @ApiProperty({ example: 12 })
  readonly objectsRead: number;

  @ApiProperty({ example: 48_120 })
  readonly bytesRead: number;

  @ApiPropertyOptional({ description: 'Why the outcome is not in the log of the backups; absent: it is' })
  readonly unrecorded?: string;

  constructor({ id, level, subset, ok, signature, findings, objectsRead, bytesRead, unrecorded }: VerifyReport) {
    [this.id, this.level, this.ok, this.findings] = [id, level, ok, findings];
    [this.objectsRead, this.bytesRead] = [objectsRead, bytesRead];
    if (subset !== undefined) this.subset = subset;
    if (signature !== undefined) this.signature = signature;
    if (unrecorded !== undefined) this.unrecorded = unrecorded;
  }
}
