import { AppError } from '../../errors/app-error';

/** Nothing may be deleted by a policy that would keep nothing. */
export class RetentionEmpty extends AppError {
  readonly code = 'RETENTION_EMPTY';
  readonly kind = 'invalid' as const;
  constructor(policy: object) {
    super('The retention keeps no snapshot at all, so nothing is deleted by it', {
      field: 'BACKUP_KEEP_LAST, BACKUP_KEEP_DAILY, BACKUP_KEEP_WEEKLY, BACKUP_KEEP_MONTHLY',
      expected: 'whole numbers from 0 on, one of them more than 0',
      actual: JSON.stringify(policy),
    });
  }
}

/** Between the plan and its execution something happened that it did not know of. Nothing was deleted. */
export class PlanOutdated extends AppError {
  readonly code = 'PLAN_OUTDATED';
  readonly kind = 'conflict' as const;
  constructor(expected: string, actual: string) {
    super('The snapshots are no longer those that this plan was made for; nothing was deleted', { field: 'plan', expected, actual });
  }
}

/** What shall come back has objects that are gone. */
export class SnapshotCollected extends AppError {
  readonly code = 'SNAPSHOT_COLLECTED';
  readonly kind = 'conflict' as const;
  constructor(id: string, missing: number, options?: ErrorOptions) {
    super(`The snapshot ${id} was deleted too long ago: what it needs is gone`, { actual: `${missing} of its objects are gone` }, options);
  }
}

/** What shall come back was not deleted. */
export class SnapshotNotDeleted extends AppError {
  readonly code = 'SNAPSHOT_NOT_DELETED';
  readonly kind = 'conflict' as const;
  constructor(id: string) {
    super(`The snapshot ${id} is not deleted`);
  }
}

/** The newest verified snapshot is what a restore would take: it cannot be deleted. */
export class NewestVerified extends AppError {
  readonly code = 'NEWEST_VERIFIED';
  readonly kind = 'conflict' as const;
  constructor(id: string) {
    super(`The snapshot ${id} is the newest verified one: it can be deleted when a newer one is verified`);
  }
}

/** It cannot be told which objects are needed, so none was taken away. */
export class CollectionRefused extends AppError {
  readonly code = 'COLLECTION_REFUSED';
  readonly kind = 'unavailable' as const;
  constructor(reason: string, options?: ErrorOptions) {
    super(`Nothing was deleted: ${reason}`, { actual: reason }, options);
  }
}

/** A restore reads a snapshot: until it ends it cannot be deleted. */
export class SnapshotPinned extends AppError {
  readonly code = 'SNAPSHOT_PINNED';
  readonly kind = 'conflict' as const;
  constructor(id: string, until: string) {
    super(`The snapshot ${id} is being restored, and cannot be deleted`, {
      expected: 'the end of the restore',
      actual: `at the latest ${until}`,
    });
  }
}
