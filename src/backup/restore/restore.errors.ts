import { AppError } from '../../errors/app-error';
import type { Conflict } from '../../models/registry/registry-merge';
import type { DamagedObject, LostVersion } from './restore-plan';

/** What a list in a sentence may have; the plan has all. */
const SHOWN = 5;

/** A snapshot has lost what is needed of it. Nothing was changed. */
export class RestoreDamaged extends AppError {
  readonly code = 'RESTORE_DAMAGED';
  readonly kind = 'conflict' as const;
  constructor(
    id: string,
    readonly damaged: readonly DamagedObject[],
    readonly lost: readonly LostVersion[],
  ) {
    super(`The snapshot ${id} is damaged, and nothing was restored: ${listed(damaged.map(({ path, detail }) => `${path}: ${detail}`))}`, {
      expected: 'every object that is needed; or partial, for the versions that are whole',
      actual: `${damaged.length} damaged, of ${listed(lost.map(({ model, version }) => `${model} ${version}`)) || 'no version'}`,
    });
  }

  override get members(): { readonly damaged: readonly DamagedObject[]; readonly lost: readonly LostVersion[] } {
    return { damaged: this.damaged, lost: this.lost };
  }
}

/** What would come back is there, and is another. Nothing was changed. */
export class RestoreConflict extends AppError {
  readonly code = 'RESTORE_CONFLICT';
  readonly kind = 'conflict' as const;
  constructor(readonly conflicts: readonly Conflict[]) {
    super(`Nothing was restored: ${listed(conflicts.map(({ model, what }) => `${what} of ${model}`))} is another one here`, {
      field: 'conflicts',
      expected: 'skip, to leave what is here; or new-version, to give versions that come back numbers of their own',
      actual: listed(conflicts.map(({ what, here, wanted }) => `${what}: ${here} here, ${wanted} in the snapshot`)),
    });
  }

  override get members(): { readonly conflicts: readonly Conflict[] } {
    return { conflicts: this.conflicts };
  }
}

/** Models that would be in production cannot be loaded. Nothing was changed. */
export class RestoreNotServable extends AppError {
  readonly code = 'RESTORE_NOT_SERVABLE';
  readonly kind = 'conflict' as const;
  constructor(readonly failures: readonly { readonly model: string; readonly version: number; readonly reason: string }[]) {
    super(
      `Nothing was restored: ${listed(failures.map(({ model, version, reason }) => `version ${version} of ${model} cannot be loaded: ${reason}`))}`,
      {
        field: 'force',
        expected: 'true, to restore it all the same',
        actual: `${failures.length} that cannot be loaded`,
      },
    );
  }

  override get members(): { readonly failures: RestoreNotServable['failures'] } {
    return { failures: this.failures };
  }
}

/** The registry is no longer the one that a plan was made for. Nothing was changed. */
export class RestorePlanOutdated extends AppError {
  readonly code = 'RESTORE_PLAN_OUTDATED';
  readonly kind = 'conflict' as const;
  constructor(planned: number, now: number) {
    super('The registry is no longer the one that this plan was made for; nothing was restored', {
      field: 'seq',
      expected: `event ${planned} as the last one`,
      actual: `event ${now}`,
    });
  }
}

/** Others changed the registry again and again between the safety snapshot and the restore. Nothing was changed. */
export class RestoreOvertaken extends AppError {
  readonly code = 'RESTORE_OVERTAKEN';
  readonly kind = 'unavailable' as const;
  constructor(attempts: number) {
    super(`Nothing was restored: the registry was changed meanwhile, ${attempts} times in a row. Try again when it is quieter`);
  }
}

/** A restore changes what is served: it must be said which snapshot is meant. */
export class ConfirmationRequired extends AppError {
  readonly code = 'CONFIRMATION_REQUIRED';
  readonly kind = 'precondition' as const;
  constructor(id: string, given: string | undefined) {
    super(`A restore changes what is served: send the header "X-Confirm: ${id}"; or "dryRun": true, to see what it would do`, {
      field: 'X-Confirm',
      expected: id,
      actual: given === undefined ? 'none' : JSON.stringify(given).slice(0, 80),
    });
  }
}

/** There is nothing in a snapshot under that name. */
export class NotInSnapshot extends AppError {
  readonly code = 'NOT_IN_SNAPSHOT';
  readonly kind = 'not-found' as const;
  constructor(id: string, model: string, version?: number) {
    super(`The snapshot ${id} has no ${version === undefined ? `model "${model}"` : `version ${version} of "${model}"`}`);
  }
}

function listed(items: readonly string[]): string {
  const rest = items.length - SHOWN;
  return items.slice(0, SHOWN).join('; ') + (rest > 0 ? `; and ${rest} more` : '');
}
