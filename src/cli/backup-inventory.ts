import { modelsIn } from '../backup/api/chosen-snapshot';
import type { ModelSummary } from '../backup/snapshot/snapshot-manifest';
import type { SnapshotRecord } from '../backup/snapshot/snapshot-records';
import { bytesText } from './amounts';
import { type BackupOptions, BackupPlace, outcome } from './backup-place';
import { EXIT } from './command';
import type { Call } from './command-frame';
import { columns, snapshotTable, stateText, UNSIGNED } from './snapshot-table';

/** Every snapshot, as the disk bears it out. @returns 3 where one is damaged */
export async function listSnapshots(call: Call<BackupOptions & { readonly deleted?: boolean }>): Promise<number> {
  const { options, output } = call;
  const all = await new BackupPlace(call).snapshots();
  const snapshots = all.filter(({ deleted }) => options.deleted === true || deleted === undefined);
  if (options.json === true) for (const snapshot of snapshots) output.out(JSON.stringify(snapshot));
  else if (snapshots.length > 0) for (const line of snapshotTable(snapshots)) output.out(line);
  const damaged = snapshots.filter((snapshot) => snapshot.damaged !== undefined && snapshot.deleted === undefined).length;
  const unsigned = snapshots.filter(({ signed }) => !signed).length;
  if (unsigned > 0 && options.json !== true) output.err(UNSIGNED);
  const reason = `${countText(snapshots.length, 'snapshot')}${damaged > 0 ? `, ${damaged} DAMAGED` : ''}`;
  return outcome(options, output, damaged > 0 ? EXIT.partial : EXIT.ok, reason, { snapshots: snapshots.length, damaged, unsigned });
}

/** One snapshot and what is in it. @returns 3 where it is damaged */
export async function showSnapshot(call: Call<BackupOptions>): Promise<number> {
  const { options, output, operands } = call;
  const place = new BackupPlace(call);
  const snapshot = await place.snapshot(operands[0] as string);
  const models = await modelsIn(place.opened.manifests, snapshot.id);
  if (options.json === true) output.out(JSON.stringify({ ...snapshot, ...(models && { models }) }));
  else for (const line of linesOf(snapshot, models)) output.out(line);
  if (!snapshot.signed && options.json !== true) output.err(UNSIGNED);
  const damaged = snapshot.damaged ?? [];
  const reason = damaged.length > 0 ? `The snapshot is damaged: ${damaged.length} findings` : `The snapshot ${snapshot.id} is there`;
  return outcome(options, output, damaged.length > 0 ? EXIT.partial : EXIT.ok, reason, { damaged: damaged.length });
}

/** One or many of something. */
export function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function linesOf(snapshot: SnapshotRecord, models: readonly ModelSummary[] = []): readonly string[] {
  const {
    id,
    createdAt,
    finishedAt,
    trigger,
    seq,
    lineage,
    objects,
    bytes,
    newBytes,
    verified,
    lookedOver,
    drilled,
    deleted,
    damaged = [],
  } = snapshot;
  const facts = [
    ['id', id],
    ['state', stateText(snapshot)],
    ['taken', `${createdAt}, finished ${finishedAt} (${trigger})`],
    ['registry', `event ${seq} of ${lineage}`],
    ['size', `${countText(objects, 'object')}, ${bytesText(bytes)}, of which ${bytesText(newBytes)} were new`],
    ['verified', verified === undefined ? 'never' : `${verified.at} (${verified.level})`],
    ...(lookedOver === undefined ? [] : [['looked over', lookedOver.at]]),
    ['drilled', drilledText(drilled)],
    ...(deleted === undefined ? [] : [['deleted', `${deleted.at}: ${deleted.reason}`]]),
    ...damaged.map((finding) => ['DAMAGED', finding]),
  ];
  const rows = models.flatMap(({ name, versions }) =>
    versions.map(({ version, stage, digest }) => [name, String(version), stage, digest.slice(0, 16)]),
  );
  const table = rows.length === 0 ? [] : ['', ...columns([['MODEL', 'VERSION', 'STAGE', 'DIGEST'], ...rows], new Set([1]))];
  return [...columns(facts), ...table];
}

function drilledText(drilled: SnapshotRecord['drilled']): string {
  if (drilled === undefined) return 'never';
  const { at, ms, failure } = drilled;
  return failure === undefined ? `${at}, in ${ms} ms` : `${at}: FAILED while ${failure.phase}: ${failure.reason}`;
}
