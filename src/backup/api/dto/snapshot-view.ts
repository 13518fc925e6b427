import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { ModelSummary } from '../../snapshot/snapshot-manifest';
import type { SnapshotRecord, Trigger } from '../../snapshot/snapshot-records';
import { TRIGGERS } from '../../snapshot/snapshot-records';

const ID = '20261123T030000Z-42-0f3a';
const AT = '2026-11-23T03:00:00.000Z';
const MANIFEST = 'bc9f6ae10a6266c124286b38311bc70fc62167c4acf160ab283abc781ab084c8';
const MODELS = [{ name: 'iris', production: 1, versions: [{ version: 1, stage: 'production', digest: MANIFEST, files: [] }] }];

/** A snapshot, as the disk bears it out. */
export class SnapshotView {
  @ApiProperty({ example: ID })
  readonly id: string;

  @ApiProperty({ example: AT, description: 'When the cut was made' })
  readonly createdAt: string;

  @ApiProperty({ example: '2026-11-23T03:00:04.120Z', description: 'When all of it was safe' })
  readonly finishedAt: string;

  @ApiProperty({ enum: TRIGGERS, example: 'schedule', description: 'Why it was taken' })
  readonly trigger: Trigger;

  @ApiProperty({ example: 42, description: 'Number of the last event of the registry in it' })
  readonly seq: number;

  @ApiProperty({ example: '630bcaab-4589-463d-8ffc-13360e365ed2', description: 'The line of history that the registry is of' })
  readonly lineage: string;

  @ApiProperty({ example: MANIFEST, description: 'SHA-256 of its manifest' })
  readonly manifest: string;

  @ApiProperty({ example: true, description: 'false: whoever can write to `BACKUPS_DIR` can alter it unseen' })
  readonly signed: boolean;

  @ApiProperty({ example: false })
  readonly encrypted: boolean;

  @ApiProperty({ example: 12 })
  readonly objects: number;

  @ApiProperty({ example: 48_120, description: 'Of all its objects' })
  readonly bytes: number;

  @ApiProperty({ example: 3120, description: 'What was written for it: the rest was there from those before it' })
  readonly newBytes: number;

  @ApiPropertyOptional({
    type: Object,
    example: { at: AT, level: 'data' },
    description: 'The closest verification that found nothing, the newest of its level',
  })
  readonly verified?: SnapshotRecord['verified'];

  @ApiPropertyOptional({
    type: Object,
    example: { at: AT },
    description: 'A newer verification that looked less closely, and found nothing',
  })
  readonly lookedOver?: SnapshotRecord['lookedOver'];

  @ApiPropertyOptional({
    type: Object,
    example: { at: AT, ok: true, ms: 381 },
    description: 'The last drill of it; `failure` where it was not ok; absent: never',
  })
  readonly drilled?: SnapshotRecord['drilled'];

  @ApiPropertyOptional({ type: Object, description: 'When and why it was deleted; it can be undeleted until its objects are collected' })
  readonly deleted?: SnapshotRecord['deleted'];

  @ApiPropertyOptional({ type: [String], description: 'What is wrong with it; absent where nothing is' })
  readonly damaged?: readonly string[];

  constructor(record: SnapshotRecord) {
    const { verified, lookedOver, drilled, deleted, damaged } = record;
    this.id = record.id;
    this.createdAt = record.createdAt;
    this.finishedAt = record.finishedAt;
    this.trigger = record.trigger;
    this.seq = record.seq;
    this.lineage = record.lineage;
    this.manifest = record.manifest;
    this.signed = record.signed;
    this.encrypted = record.encrypted;
    this.objects = record.objects;
    this.bytes = record.bytes;
    this.newBytes = record.newBytes;
    if (verified !== undefined) this.verified = verified;
    if (lookedOver !== undefined) this.lookedOver = lookedOver;
    if (drilled !== undefined) this.drilled = drilled;
    if (deleted !== undefined) this.deleted = deleted;
    if (damaged !== undefined) this.damaged = damaged;
  }
}

/** A snapshot, and what is in it. */
export class SnapshotContentView extends SnapshotView {
  @ApiPropertyOptional({
    type: Object,
    isArray: true,
    example: MODELS,
    description: 'The models that the caller may see; absent where the snapshot is encrypted, or its manifest cannot be read',
  })
  readonly models?: readonly ModelSummary[];

  constructor(record: SnapshotRecord, models: readonly ModelSummary[] | undefined) {
    super(record);
    if (models !== undefined) this.models = models;
  }
}

/** Snapshots, the newest first. */
export class SnapshotList {
  @ApiProperty({ type: [SnapshotView] })
  readonly snapshots: readonly SnapshotView[];

  constructor(records: readonly SnapshotRecord[]) {
    this.snapshots = records.map((record) => new SnapshotView(record));
  }
}
