import { bytesText } from './amounts';
import { countText } from './backup-inventory';
import { type BackupOptions, BackupPlace, outcome } from './backup-place';
import { EXIT } from './command';
import type { Call } from './command-frame';
import { commandLineActor } from './keys.command';

const REASON = 'by hand';

/** Deletes what the retention does not keep, and collects what nobody needs any more; or says what it would do. */
export async function pruneSnapshots(call: Call<BackupOptions & { readonly dryRun?: boolean }>): Promise<number> {
  const { options, output, signal } = call;
  const place = new BackupPlace(call);
  await place.snapshots();
  if (options.dryRun === true) return planned(call, place);
  const { deleted, removed, bytes } = await place.opened.pruner.prune(commandLineActor(), { signal });
  for (const id of deleted) output.out(options.json === true ? JSON.stringify({ deleted: id }) : `deleted ${id}`);
  const reason = `${countText(deleted.length, 'snapshot')} deleted, ${countText(removed.length, 'object')} removed, ${bytesText(bytes)}`;
  return outcome(options, output, EXIT.ok, reason, { deleted, removed: removed.length, bytes });
}

async function planned({ options, output }: Call, { opened }: BackupPlace): Promise<number> {
  const plan = await opened.pruner.plan();
  for (const { id, keep, reasons } of plan.snapshots)
    if (options.json !== true) output.out(`${keep ? 'keep  ' : 'delete'} ${id}  ${reasons.join(', ')}`);
  if (options.json === true) output.out(JSON.stringify(plan));
  const { remove, bytes } = plan.collect;
  const reason = `Would delete ${countText(plan.delete.length, 'snapshot')}, remove ${countText(remove.length, 'object')}, ${bytesText(bytes)}`;
  return outcome(options, output, EXIT.ok, reason, { deleted: plan.delete, removed: remove.length, bytes });
}

/** Deletes one; it can be undeleted until its objects are collected. */
export async function deleteSnapshot(call: Call<BackupOptions & { readonly reason?: string }>): Promise<number> {
  const { options, output, operands, signal } = call;
  const place = new BackupPlace(call);
  const { id } = await place.snapshot(operands[0] as string);
  await place.opened.pruner.delete(id, commandLineActor(), options.reason ?? REASON, signal);
  return outcome(options, output, EXIT.ok, `The snapshot ${id} is deleted; undelete brings it back for a day at least`, { snapshot: id });
}

/** Brings a deleted one back. */
export async function undeleteSnapshot(call: Call<BackupOptions>): Promise<number> {
  const { options, output, operands, signal } = call;
  const place = new BackupPlace(call);
  const { id } = await place.snapshot(operands[0] as string, 'deleted');
  await place.opened.pruner.undelete(id, commandLineActor(), signal);
  return outcome(options, output, EXIT.ok, `The snapshot ${id} is there again`, { snapshot: id });
}
