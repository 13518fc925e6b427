import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsString } from 'class-validator';
import { MayBeAbsent } from '../../../wire/may-be-absent.decorator';
import type { DrilledSnapshot, DrillFailure, DrillReport } from '../../drill/drill-report';

const ID = '20261123T030000Z-42-0f3a';

/** Which restore is to be tried. */
export class DrillRequest {
  @ApiPropertyOptional({
    example: 'latest',
    description: 'Of a snapshot; `latest`: of the newest. Absent: the newest, and an older one by chance',
  })
  @MayBeAbsent()
  @IsString()
  readonly id?: string;

  @ApiPropertyOptional({ example: false, description: 'Also one that is not signed, though there is a key: it is older than the key' })
  @MayBeAbsent()
  @IsBoolean()
  readonly allowUnsigned?: boolean;
}

/** What came of the drill of one snapshot. */
export class DrilledSnapshotView implements DrilledSnapshot {
  @ApiProperty({ example: ID })
  readonly id!: string;

  @ApiProperty({ example: true, description: 'Whether it was the newest one' })
  readonly newest!: boolean;

  @ApiProperty({ example: true, description: 'Whether everything was restored, and serves' })
  readonly ok!: boolean;

  @ApiPropertyOptional({
    type: Object,
    description: 'How far it came, why not further, and what that is about; there where it is not ok: docs/BACKUP.md has the reasons',
  })
  readonly failure?: DrillFailure;

  @ApiProperty({ example: 12 })
  readonly objects!: number;

  @ApiProperty({ example: 48_120, description: 'Of all its objects' })
  readonly bytes!: number;

  @ApiProperty({ example: 3, description: 'Models in production there that serve' })
  readonly models!: number;

  @ApiProperty({ example: 9, description: 'Golden rows that they answered rightly' })
  readonly goldenRows!: number;

  @ApiProperty({ example: 42 })
  readonly restoreMs!: number;

  @ApiProperty({ example: 6 })
  readonly verifyMs!: number;

  @ApiProperty({ example: 310, description: 'Of all models together; they are loaded one after the other' })
  readonly loadMs!: number;

  @ApiProperty({ example: 12 })
  readonly replayMs!: number;

  @ApiProperty({ example: 381, description: 'All of it' })
  readonly ms!: number;

  @ApiPropertyOptional({ description: 'Why the outcome is not in the log of the backups; absent: it is' })
  readonly unrecorded?: string;
}

/** What came of a run of drills. */
export class DrillReportView implements DrillReport {
  @ApiProperty({ example: true, description: 'Whether every one was good' })
  readonly ok: boolean;

  @ApiProperty({ example: 381 })
  readonly ms: number;

  @ApiProperty({ type: [DrilledSnapshotView], description: 'The newest first' })
  readonly snapshots: readonly DrilledSnapshotView[];

  constructor({ ok, ms, snapshots }: DrillReport) {
    [this.ok, this.ms, this.snapshots] = [ok, ms, snapshots];
  }
}
