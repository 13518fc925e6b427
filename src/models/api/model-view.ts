import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { type Stage, STAGES } from '../registry/registry-event';
import type { DeletedVersion, Deletion, ModelRecord, VersionRecord } from '../registry/registry-records';
import type { ModelPage } from './model-page';
import { type VersionFindings, VersionView } from './version-view';

/** That something was deleted, and how long it can come back. */
export class DeletionView {
  @ApiProperty({ example: '2026-11-22T12:00:00.000Z' })
  readonly at!: string;

  @ApiProperty({ example: 'anonymous' })
  readonly by!: string;

  @ApiPropertyOptional({ example: 'trained on the wrong feed' })
  readonly reason?: string;

  @ApiProperty({ example: '2026-12-22T12:00:00.000Z', description: 'Its files are kept until then: so long it can be undeleted' })
  readonly keptUntil!: string;

  constructor({ at, by, reason }: Deletion, undeleteDays: number) {
    Object.assign(this, { at, by, ...(reason !== undefined && { reason }) });
    this.keptUntil = new Date(Date.parse(at) + undeleteDays * 86_400_000).toISOString();
  }
}

/** A model as the API shows it in a list. */
export class ModelSummary {
  @ApiProperty({ example: 'iris' })
  readonly name!: string;

  @ApiProperty({ example: 'Species of an iris from four measures' })
  readonly description!: string;

  @ApiProperty({ example: ['example'] })
  readonly tags!: readonly string[];

  @ApiProperty({ type: Number, nullable: true, example: 1, description: 'The version in production, if any' })
  readonly production!: number | null;

  @ApiProperty({ type: Number, nullable: true, example: 1, description: 'The newest version, if any' })
  readonly latest!: number | null;

  @ApiProperty({ example: 1, description: 'How many versions there are' })
  readonly versionCount!: number;

  @ApiProperty({ example: { champion: 1 }, type: Object, description: 'Versions by other names; `production` always follows the stage' })
  readonly aliases!: Readonly<Record<string, number>>;

  @ApiProperty({ example: '2026-11-22T12:00:00.000Z', description: 'When its first version was uploaded' })
  readonly createdAt!: string;

  @ApiProperty({ example: '2026-11-22T12:00:00.000Z', description: 'When anything of it changed last' })
  readonly updatedAt!: string;

  @ApiPropertyOptional({ type: () => DeletionView, description: 'Only of a deleted model' })
  readonly deleted?: DeletionView;

  constructor(record: ModelRecord, undeleteDays: number) {
    const { name, description, tags, production, versions, aliases, createdAt, updatedAt, deletion } = record;
    const latest = [...versions.keys()].at(-1) ?? null;
    const pointers = { production: production?.version ?? null, latest, versionCount: versions.size, aliases: Object.fromEntries(aliases) };
    Object.assign(this, { name, description, tags, ...pointers, createdAt, updatedAt });
    if (deletion !== undefined) this.deleted = new DeletionView(deletion, undeleteDays);
  }
}

/** A version that was deleted, and may come back. */
export class DeletedVersionView {
  @ApiProperty({ example: 2 })
  readonly version!: number;

  @ApiProperty({ enum: STAGES, example: 'archived', description: 'The stage in which it comes back' })
  readonly stage!: Stage;

  @ApiProperty({ type: DeletionView })
  readonly deleted: DeletionView;

  constructor({ record: { version, stage }, deletion }: DeletedVersion, undeleteDays: number) {
    Object.assign(this, { version, stage });
    this.deleted = new DeletionView(deletion, undeleteDays);
  }
}

/** A model and its versions as the API shows them. */
export class ModelView extends ModelSummary {
  @ApiProperty({ type: [VersionView] })
  readonly versions: readonly VersionView[];

  @ApiProperty({ type: [DeletedVersionView], example: [], description: 'What may come back' })
  readonly deletedVersions: readonly DeletedVersionView[];

  constructor(record: ModelRecord, undeleteDays: number, findings: (version: VersionRecord) => VersionFindings) {
    super(record, undeleteDays);
    this.versions = [...record.versions.values()].map((version) => new VersionView(version, findings(version)));
    this.deletedVersions = [...record.deletedVersions.values()].map((deleted) => new DeletedVersionView(deleted, undeleteDays));
  }
}

/** A page of models. */
export class ModelList {
  @ApiProperty({ type: [ModelSummary] })
  readonly models: readonly ModelSummary[];

  @ApiProperty({ example: 1, description: 'How many there are in all' })
  readonly total!: number;

  @ApiProperty({ type: String, nullable: true, example: null, description: 'Ask for `after` this to go on; null: there is no more' })
  readonly next!: string | null;

  constructor({ models, total, next }: ModelPage, undeleteDays: number) {
    this.models = models.map((record) => new ModelSummary(record, undeleteDays));
    Object.assign(this, { total, next });
  }
}
