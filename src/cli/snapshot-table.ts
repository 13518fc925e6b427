import type { SnapshotRecord } from '../backup/snapshot/snapshot-records';
import { bytesText, minuteText } from './amounts';

/** Said wherever an unsigned snapshot is shown. */
export const UNSIGNED = 'UNSIGNED: whoever can write there can alter it unseen. Set BACKUP_KEY_FILE, and later ones are signed.';

const HEAD = ['ID', 'TAKEN (UTC)', 'SIZE', 'NEW', 'STATE'] as const;
const RIGHT = new Set([2, 3]);

/** Snapshots, a line each, in at most 100 columns; the first line says what the columns are. */
export function snapshotTable(snapshots: readonly SnapshotRecord[]): readonly string[] {
  const rows = snapshots.map((snapshot) => [
    snapshot.id,
    minuteText(snapshot.createdAt),
    bytesText(snapshot.bytes),
    bytesText(snapshot.newBytes),
    stateText(snapshot),
  ]);
  return columns([[...HEAD], ...rows], RIGHT);
}

/** What is to be known of a snapshot at a glance; what is bad is loud. */
export function stateText({ deleted, damaged, signed, encrypted, verified, drilled }: SnapshotRecord): string {
  const verification = verified === undefined ? 'unverified' : verified.level === 'data' ? 'verified' : 'looked over';
  return [
    ...(deleted === undefined ? [] : ['deleted']),
    ...(damaged === undefined ? [] : ['DAMAGED']),
    ...(drilled?.ok === false ? ['DRILL FAILED'] : []),
    ...(signed ? [] : ['UNSIGNED']),
    ...(encrypted ? ['encrypted'] : []),
    ...(deleted === undefined ? [verification] : []),
  ].join(', ');
}

/** Rows of texts, one below the other. @param right numbers of the columns whose texts end one below the other */
export function columns(rows: readonly (readonly string[])[], right: ReadonlySet<number> = new Set()): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((text, column) => (right.has(column) ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
