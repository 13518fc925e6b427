import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsIn, IsInt, IsString, Max, MaxLength, Min } from 'class-validator';
import { CONFLICTS, type Conflict, type Conflicts } from '../../../models/registry/registry-merge';
import type { ModelDifference } from '../../../models/registry/registry-difference';
import { MayBeAbsent } from '../../../wire/may-be-absent.decorator';
import type { DamagedObject, LostVersion, RestoreOutcome, RestorePlan } from '../../restore/restore-plan';

const ID = '20261123T030000Z-42-0f3a';
const SAFETY = '20261124T091500Z-57-c41d';
const DIFFERENCE = {
  model: 'iris',
  from: true,
  to: true,
  production: { from: 3, to: 1 },
  versions: [
    { version: 1, from: 'archived', to: 'production' },
    { version: 3, from: 'production', to: null },
  ],
  aliases: [{ alias: 'champion', from: 3, to: 1 }],
};

/** What of a snapshot shall be restored, and how. */
export class RestoreRequest {
  @ApiPropertyOptional({ example: true, description: 'Only say what would be done; needs no `X-Confirm`; default no' })
  @MayBeAbsent()
  @IsBoolean()
  readonly dryRun?: boolean;

  @ApiPropertyOptional({ example: 'iris', description: 'Only this model; default: the whole registry' })
  @MayBeAbsent()
  @IsString()
  @MaxLength(64)
  readonly model?: string;

  @ApiPropertyOptional({ example: 1, description: 'Only this version of `model`' })
  @MayBeAbsent()
  @IsInt()
  @Min(1)
  @Max(999_999_999)
  readonly version?: number;

  @ApiPropertyOptional({
    enum: CONFLICTS,
    example: 'fail',
    description:
      'Where something of `model` is another one here. `fail` (default): nothing is restored; `skip`: what is here stays; `new-version`: what comes back gets a number of its own',
  })
  @MayBeAbsent()
  @IsIn(CONFLICTS)
  readonly conflicts?: Conflicts;

  @ApiPropertyOptional({ example: false, description: 'Where objects are damaged: restores the versions that are whole; default no' })
  @MayBeAbsent()
  @IsBoolean()
  readonly partial?: boolean;

  @ApiPropertyOptional({ example: false, description: 'Restores also what cannot be loaded; default no' })
  @MayBeAbsent()
  @IsBoolean()
  readonly force?: boolean;

  @ApiPropertyOptional({ example: true, description: 'Takes a snapshot of what is there first; default yes' })
  @MayBeAbsent()
  @IsBoolean()
  readonly safety?: boolean;

  @ApiPropertyOptional({ example: false, description: 'Also one that is not signed, though there is a key: it is older than the key' })
  @MayBeAbsent()
  @IsBoolean()
  readonly allowUnsigned?: boolean;

  @ApiPropertyOptional({
    example: 57,
    description: '`seq` of the plan: nothing is restored where something was changed since; default: whatever was changed',
  })
  @MayBeAbsent()
  @IsInt()
  @Min(0)
  @Max(Number.MAX_SAFE_INTEGER)
  readonly seq?: number;

  @ApiPropertyOptional({ example: 'the wrong version was promoted', description: 'Why, for the log' })
  @MayBeAbsent()
  @IsString()
  @MaxLength(1024)
  readonly reason?: string;
}

/** An object that is not what it was. */
export class DamagedObjectView implements DamagedObject {
  @ApiProperty({ example: 'blobs/sha256/9f/9f86d081884c7d65', description: 'Where it lies in a registry' })
  readonly path!: string;

  @ApiProperty({ example: 'its bytes are not those that were stored' })
  readonly detail!: string;
}

/** A version whose files are not all to be had. */
export class LostVersionView implements LostVersion {
  @ApiProperty({ example: 'iris' })
  readonly model!: string;

  @ApiProperty({ example: 2 })
  readonly version!: number;
}

/** Something that is another one here than in the snapshot. */
export class ConflictView implements Conflict {
  @ApiProperty({ example: 'iris' })
  readonly model!: string;

  @ApiProperty({ example: 'production', description: '`version 3`, `alias champion`, `production`' })
  readonly what!: string;

  @ApiProperty({ example: 'version 3' })
  readonly here!: string;

  @ApiProperty({ example: 'version 1' })
  readonly wanted!: string;
}

/** Bytes that the registry does not have. */
export class CopyView {
  @ApiProperty({ example: 1 })
  readonly blobs!: number;

  @ApiProperty({ example: 1887 })
  readonly bytes!: number;
}

/** What a restore did, or would do. */
export class RestoreView {
  @ApiProperty({ example: false })
  readonly dryRun: boolean;

  @ApiProperty({ example: ID })
  readonly snapshot: string;

  @ApiProperty({ example: '2026-11-23T03:00:00.000Z', description: "When the snapshot's cut was made" })
  readonly createdAt: string;

  @ApiProperty({ example: 'valid', description: '`valid`, `unsigned`, or `unchecked`: signed, and there is no key here' })
  readonly signature: string;

  @ApiProperty({
    example: 57,
    description: "Number of the registry's last event before; send it with the restore, and it is this plan or none",
  })
  readonly seq: number;

  @ApiProperty({
    type: Object,
    isArray: true,
    example: [DIFFERENCE],
    description: 'Models that differ then, as callers see them; `null`: not there',
  })
  readonly models: readonly ModelDifference[];

  @ApiProperty({
    type: [ConflictView],
    example: [],
    description: 'What stays as it is, or comes under another number, as another one is here',
  })
  readonly conflicts: readonly ConflictView[];

  @ApiProperty({ type: CopyView, example: { blobs: 1, bytes: 1887 }, description: 'What is written: the registry does not have it' })
  readonly copy: CopyView;

  @ApiProperty({ type: [DamagedObjectView], example: [] })
  readonly damaged: readonly DamagedObjectView[];

  @ApiProperty({ type: [LostVersionView], example: [], description: 'Versions that do not come back: their bytes are damaged' })
  readonly lost: readonly LostVersionView[];

  @ApiPropertyOptional({ example: 58, description: 'Number of the event that did it; absent in a dry run' })
  readonly event?: number;

  @ApiPropertyOptional({ example: SAFETY, description: 'The snapshot of what was there before; restore it to undo this' })
  readonly safety?: string;

  constructor(plan: RestorePlan & Partial<RestoreOutcome>) {
    const { event, safety } = plan;
    this.dryRun = event === undefined;
    this.snapshot = plan.snapshot;
    this.createdAt = plan.createdAt;
    this.signature = plan.signature;
    this.seq = plan.seq;
    this.models = plan.models;
    this.conflicts = plan.conflicts;
    this.copy = plan.copy;
    this.damaged = plan.damaged;
    this.lost = plan.lost;
    if (event !== undefined) this.event = event;
    if (safety !== undefined) this.safety = safety;
  }
}
