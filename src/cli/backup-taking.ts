import { CorrelationContext } from '../logging/correlation-context';
import type { SnapshotRecord } from '../backup/snapshot/snapshot-records';
import { LATEST } from '../backup/api/chosen-snapshot';
import { bytesText } from './amounts';
import { countText } from './backup-inventory';
import { type BackupOptions, BackupPlace, outcome } from './backup-place';
import { EXIT, type ExitCode, WrongUsage } from './command';
import type { Call } from './command-frame';
import { mostSevere } from './exit-code';
import { commandLineActor } from './keys.command';
import { UNSIGNED } from './snapshot-table';

/** What `backup verify` was asked for. */
export interface VerifyOptions extends BackupOptions {
  readonly level?: string;
  readonly subset?: string;
  readonly allowUnsigned?: boolean;
  readonly all?: boolean;
}

/** Takes a snapshot, also beside a server that works. */
export async function runBackup(call: Call<BackupOptions & { readonly rehash?: boolean }>): Promise<number> {
  const { options, output, signal } = call;
  const place = new BackupPlace(call);
  await place.requireRegistry();
  const correlationId = CorrelationContext.current?.correlationId ?? 'none';
  const wish = { trigger: 'manual', actor: commandLineActor(), correlationId, rehash: options.rehash === true, signal } as const;
  const taken = await place.watched((progress) => place.opened.taker.take({ ...wish, progress }));
  if (!taken.signed && options.json !== true) output.err(UNSIGNED);
  const size = `${countText(taken.objects, 'object')}, ${bytesText(taken.bytes)}, of which ${bytesText(taken.newBytes)} are new`;
  return outcome(options, output, EXIT.ok, `The snapshot ${taken.id} is taken: ${size}`, { snapshot: taken });
}

/** Looks closely at one snapshot, or at all of them. @returns 3 where one is damaged */
export async function verifySnapshots(call: Call<VerifyOptions>): Promise<number> {
  const { options, output, operands } = call;
  const wish = wishOf(options);
  const place = new BackupPlace(call);
  if (options.all === true && operands[0] !== undefined)
    throw new WrongUsage('An id and --all contradict each other', ['backup', 'verify']);
  const snapshots =
    options.all === true
      ? (await place.snapshots()).filter(({ deleted }) => deleted === undefined)
      : [await place.snapshot(operands[0] ?? LATEST)];
  const codes: ExitCode[] = [];
  const sums = { objectsRead: 0, bytesRead: 0, findings: 0 };
  for (const snapshot of snapshots) codes.push(await verifyOne(snapshot, wish, place, call, sums));
  if (options.json !== true && snapshots.some(({ signed }) => !signed)) output.err(UNSIGNED);
  const code = mostSevere(codes);
  const read = `${countText(snapshots.length, 'snapshot')}, ${countText(sums.objectsRead, 'object')}, ${bytesText(sums.bytesRead)} read`;
  const reason = code === EXIT.ok ? `All is well: ${read}` : `${countText(sums.findings, 'finding')}: ${read}`;
  return outcome(options, output, code, reason, { snapshots: snapshots.map(({ id }) => id), ...sums });
}

async function verifyOne(
  { id }: SnapshotRecord,
  wish: ReturnType<typeof wishOf>,
  place: BackupPlace,
  { options, output, signal }: Call<VerifyOptions>,
  sums: { objectsRead: number; bytesRead: number; findings: number },
): Promise<ExitCode> {
  const report = await place.watched((progress) =>
    place.opened.verifier.verify(id, { ...wish, actor: commandLineActor(), progress, signal }),
  );
  for (const finding of report.findings) {
    const { object, problem, detail } = finding;
    output.out(options.json === true ? JSON.stringify({ snapshot: id, ...finding }) : `${id}: ${problem} ${object}: ${detail}`);
  }
  if (report.unrecorded !== undefined) output.err(`What came of it is not written down: ${report.unrecorded}`);
  sums.objectsRead += report.objectsRead;
  sums.bytesRead += report.bytesRead;
  sums.findings += report.findings.length;
  return report.ok ? EXIT.ok : EXIT.partial;
}

function wishOf({ level = 'data', subset, allowUnsigned = false }: VerifyOptions): {
  readonly level: 'structure' | 'data';
  readonly allowUnsigned: boolean;
  readonly subset?: { readonly n: number; readonly t: number };
} {
  if (level !== 'structure' && level !== 'data') throw wrong('--level', level, 'structure or data');
  if (subset === undefined) return { level, allowUnsigned };
  const [, n, t] = (/^([1-9][0-9]{0,3})\/([1-9][0-9]{0,3})$/.exec(subset) ?? []).map(Number);
  if (n === undefined || t === undefined || n > t) throw wrong('--subset', subset, 'n/t, the n-th of t parts: 1/7 to 7/7');
  if (level !== 'data') throw wrong('--subset', subset, 'of --level data only');
  return { level, allowUnsigned, subset: { n, t } };
}

function wrong(option: string, given: string, expected: string): WrongUsage {
  return new WrongUsage(`${option}: "${given}" is not ${expected}`, ['backup', 'verify']);
}
