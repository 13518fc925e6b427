import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean } from 'class-validator';
import { MayBeAbsent } from '../../../wire/may-be-absent.decorator';
import type { PrunePlan, PruneReport } from '../../retention/pruner';

const ID = '20261116T030000Z-17-a01c';

/** Whether it is done, or only said. */
export class PruneRequest {
  @ApiPropertyOptional({ example: true, description: 'Only say what would be done; default no' })
  @MayBeAbsent()
  @IsBoolean()
  readonly dryRun?: boolean;
}

/** What a prune did, or would do. */
export class PruneView {
  @ApiProperty({ example: true })
  readonly dryRun: boolean;

  @ApiProperty({
    type: [String],
    example: [ID],
    description: 'Snapshots that are deleted; they can be undeleted until their objects are collected',
  })
  readonly deleted: readonly string[];

  @ApiProperty({ type: [String], example: [], description: 'Objects that nobody needs any more, and that are taken away' })
  readonly removed: readonly string[];

  @ApiProperty({ example: 0, description: 'Of those objects' })
  readonly bytes: number;

  @ApiPropertyOptional({ type: Object, description: 'Of a dry run: all of the plan, with what becomes of every snapshot, and why' })
  readonly plan?: PrunePlan;

  constructor({ deleted, removed, bytes }: Pick<PruneReport, 'deleted' | 'removed' | 'bytes'>, plan?: PrunePlan) {
    [this.dryRun, this.deleted, this.removed, this.bytes] = [plan !== undefined, deleted, removed, bytes];
    if (plan !== undefined) this.plan = plan;
  }

  /** What would be done. */
  static of(plan: PrunePlan): PruneView {
    return new PruneView({ deleted: plan.delete, removed: plan.collect.remove, bytes: plan.collect.bytes }, plan);
  }
}
