import { RestoreConflict, RestoreDamaged, RestoreNotServable, RestorePlanOutdated } from '../backup/restore/restore.errors';
import type { RestoreOptions, RestoreOutcome, RestorePlan } from '../backup/restore/restore-plan';
import type { RestoreSource } from '../backup/restore/restore-source';
import { hasCode } from '../errors/has-code';
import { CONFLICTS, type Conflicts } from '../models/registry/registry-merge';
import { bytesText } from './amounts';
import { countText } from './backup-inventory';
import { type BackupOptions, BackupPlace, outcome } from './backup-place';
import { EXIT, NothingThere, WrongUsage } from './command';
import type { Call } from './command-frame';
import { commandLineActor } from './keys.command';
import { conflictText, restoreTable } from './restore-table';
import { UNSIGNED } from './snapshot-table';

/** What `backup restore` was asked for. */
export interface RestoringOptions extends BackupOptions {
  readonly from?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly model?: string;
  readonly version?: string;
  readonly conflicts?: string;
  readonly partial?: boolean;
  readonly force?: boolean;
  readonly safety?: boolean;
  readonly allowUnsigned?: boolean;
  readonly atEvent?: string;
  readonly reason?: string;
}

/** Either of a registry that is there, or of a place where there is none. */
interface Target {
  plan(): Promise<RestorePlan>;
  restore(): Promise<RestoreOutcome>;
}

/** Restores a snapshot or an export, or says what that would do. Nothing is changed without `--yes`. */
export async function restoreSnapshot(call: Call<RestoringOptions>): Promise<number> {
  const { options, output } = call;
  const wish = wishOf(call);
  const place = new BackupPlace(call);
  return place.watched(async (progress) => {
    const source = await sourceOf(call, place, progress);
    try {
      const target = await targetOf(source, place, { ...wish, progress, signal: call.signal });
      const does = options.yes === true && options.dryRun !== true;
      const done = await (does ? target.restore() : target.plan()).catch((error: unknown) => explained(error, call));
      place.progress.end();
      if (options.json === true) output.out(JSON.stringify(done));
      else for (const line of restoreTable(done)) output.out(line);
      if (done.signature === 'unsigned' && options.json !== true) output.err(UNSIGNED);
      return isDone(done) ? restored(done, call) : planned(done, call);
    } finally {
      await source.close();
    }
  });
}

function isDone(plan: RestorePlan | RestoreOutcome): plan is RestoreOutcome {
  return 'event' in plan;
}

function restored({ snapshot, event, safety, models, lost }: RestoreOutcome, { options, output }: Call<RestoringOptions>): number {
  const undo = safety === undefined ? '' : `; what was there is in the snapshot ${safety}`;
  const missing = lost.length === 0 ? '' : `, ${countText(lost.length, 'version')} LOST`;
  const reason = `The snapshot ${snapshot} is restored by event ${event}: ${countText(models.length, 'model')} changed${missing}${undo}`;
  const facts = { snapshot, event, ...(safety !== undefined && { safety }), lost: lost.length };
  return outcome(options, output, lost.length > 0 ? EXIT.partial : EXIT.ok, reason, facts);
}

function planned({ snapshot, seq, models, copy, lost }: RestorePlan, { options, output }: Call<RestoringOptions>): number {
  const facts = { snapshot, seq, lost: lost.length };
  const would = `would change ${countText(models.length, 'model')} and copy ${bytesText(copy.bytes)}`;
  if (options.dryRun === true) return outcome(options, output, lost.length > 0 ? EXIT.partial : EXIT.ok, `It ${would}`, facts);
  return outcome(options, output, EXIT.usage, `Nothing was changed; it ${would}: --yes --at-event ${seq} does this, or nothing`, facts);
}

async function sourceOf(
  { options, operands, signal }: Call<RestoringOptions>,
  place: BackupPlace,
  progress: RestoreOptions['progress'],
): Promise<RestoreSource> {
  const { from, allowUnsigned = false } = options;
  if (from === undefined) {
    const { id } = await place.snapshot(operands[0] as string, 'to-restore');
    return place.opened.sources.open(id, commandLineActor(), allowUnsigned);
  }
  const opening = { allowUnsigned, signal, ...(progress && { progress }) };
  return place.opened.archiveSources.open(from, opening).catch((error: unknown) => {
    throw hasCode(error, 'ENOENT') ? new NothingThere(`There is no file ${from}`) : error;
  });
}

/** Where there is no registry a whole snapshot becomes it; a part of one cannot be all of a history: one is begun for it. */
async function targetOf(source: RestoreSource, place: BackupPlace, wish: RestoreOptions): Promise<Target> {
  const actor = commandLineActor();
  const { restorer, emptyPlace } = place.opened;
  if (await place.hasRegistry()) return { plan: () => restorer.plan(source, wish), restore: () => restorer.restore(source, actor, wish) };
  const { seq = 0, ...first } = wish;
  if (seq !== 0) throw new RestorePlanOutdated(seq, 0);
  if (wish.model === undefined)
    return { plan: () => emptyPlace.plan(source, first), restore: () => emptyPlace.restore(source, actor, first) };
  const fresh = { ...first, safety: false }; // there is nothing to save
  return { plan: () => restorer.plan(source, fresh), restore: () => restorer.restore(source, actor, fresh) };
}

function wishOf({ options, operands }: Call<RestoringOptions>): RestoreOptions {
  const { from, model, version: versionText, conflicts, atEvent, reason, partial = false, force = false, safety = true } = options;
  if ((operands[0] === undefined) === (from === undefined)) throw wrong('Either the id of a snapshot or --from is needed');
  if (model === undefined && versionText !== undefined) throw wrong('--version is of one model: --model');
  if (model === undefined && conflicts !== undefined) throw wrong('--conflicts is of one model: --model');
  if (conflicts !== undefined && !isConflicts(conflicts)) throw wrong(`--conflicts: "${conflicts}" is not one of ${CONFLICTS.join(', ')}`);
  const version = numberOf('--version', versionText, 1);
  const seq = numberOf('--at-event', atEvent, 0);
  return {
    partial,
    force,
    safety,
    ...(model !== undefined && { model }),
    ...(version !== undefined && { version }),
    ...(conflicts !== undefined && { conflicts }),
    ...(seq !== undefined && { seq }),
    ...(reason !== undefined && { reason }),
  };
}

function isConflicts(text: string): text is Conflicts {
  return (CONFLICTS as readonly string[]).includes(text);
}

function numberOf(option: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least)) throw wrong(`${option}: "${text}" is not a whole number from ${least} on`);
  return value;
}

function wrong(message: string): WrongUsage {
  return new WrongUsage(message, ['backup', 'restore']);
}

/** What stands in the way, a line each, and what would help. */
function explained(error: unknown, { options, output }: Call<RestoringOptions>): never {
  if (options.json !== true) for (const line of linesOf(error)) output.err(line);
  throw error;
}

function linesOf(error: unknown): readonly string[] {
  if (error instanceof RestoreConflict)
    return [
      ...error.conflicts.map(conflictText),
      '--conflicts skip leaves what is here, --conflicts new-version gives what comes back another number',
    ];
  if (error instanceof RestoreDamaged)
    return [
      ...error.damaged.map(({ path, detail }) => `DAMAGED ${path}: ${detail}`),
      ...error.lost.map(({ model, version }) => `LOST version ${version} of ${model}`),
      '--partial restores the versions that are whole',
    ];
  return error instanceof RestoreNotServable ? ['--force restores it all the same'] : [];
}
