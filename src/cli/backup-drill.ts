import type { Command } from 'commander';
import { LATEST } from '../backup/api/chosen-snapshot';
import { type DrilledSnapshot } from '../backup/drill/drill-report';
import { isSnapshotId } from '../backup/snapshot/snapshot-records';
import { RuntimeConfig, StorageConfig } from '../config/app-config';
import { bytesText } from './amounts';
import { countText } from './backup-inventory';
import { type BackupOptions, BackupPlace, outcome } from './backup-place';
import { EXIT, type ExitCode, WrongUsage } from './command';
import { type Call, type CommandFrame, examples } from './command-frame';
import { toolConfig } from './command-settings';
import { mostSevere } from './exit-code';
import { commandLineActor } from './keys.command';

interface DrillOptions extends BackupOptions {
  readonly allowUnsigned?: boolean;
}

/** `backup drill`. */
export function addDrillCommand(group: Command, frame: CommandFrame): void {
  group
    .command('drill')
    .description('try whether snapshots can be restored: elsewhere, with every model in production loaded and its golden rows compared')
    .argument('[id]', 'its id, or "latest" (default: the newest, and an older one by chance)')
    .option('--allow-unsigned', 'also one that is not signed, though there is a key: it is older than the key')
    .addHelpText('after', examples('backup drill', 'backup drill latest --json'))
    .action(frame.patient(drillSnapshots));
}

/** @returns 3 where a drill failed, 12 where it failed for want of the key */
async function drillSnapshots(call: Call<DrillOptions>): Promise<number> {
  const { options, output, operands, signal } = call;
  const [id] = operands;
  if (id !== undefined && id !== LATEST && !isSnapshotId(id))
    throw new WrongUsage(`${JSON.stringify(id)} is no id of a snapshot, nor "${LATEST}"`, ['backup', 'drill']);
  const place = new BackupPlace(call);
  await place.requireBackups();
  const settings = toolConfig();
  const driller = place.opened.driller(settings.get(RuntimeConfig) as RuntimeConfig, settings.get(StorageConfig) as StorageConfig);
  const wish = { actor: commandLineActor(), allowUnsigned: options.allowUnsigned === true, signal, ...(id !== undefined && { id }) };
  const { ok, ms, snapshots } = await place.watched((progress) => driller.drill({ ...wish, progress }));
  for (const drilled of snapshots) {
    if (options.json === true) output.out(JSON.stringify(drilled));
    else for (const line of linesOf(drilled)) output.out(line);
    if (drilled.unrecorded !== undefined) output.err(`What came of it is not written down: ${drilled.unrecorded}`);
  }
  const failed = snapshots.filter((each) => !each.ok);
  const reason = ok
    ? `All is well: ${countText(snapshots.length, 'snapshot')} restored, and serving`
    : `${countText(failed.length, 'drill')} failed`;
  return outcome(options, output, mostSevere(failed.map(exitCodeOfDrill)), reason, { ok, ms, snapshots: snapshots.map((each) => each.id) });
}

function exitCodeOfDrill({ failure }: DrilledSnapshot): ExitCode {
  return failure?.reason === 'key' || failure?.reason === 'unsigned' ? EXIT.key : EXIT.partial;
}

function linesOf({
  id,
  failure,
  objects,
  bytes,
  models,
  goldenRows,
  restoreMs,
  verifyMs,
  loadMs,
  replayMs,
}: DrilledSnapshot): readonly string[] {
  if (failure !== undefined)
    return [
      `${id}: FAILED while ${failure.phase}: ${failure.reason}: ${failure.detail}`,
      ...failure.objects.map((object) => `  ${object}`),
    ];
  return [
    `${id}: ${countText(objects, 'object')}, ${bytesText(bytes)}; ${countText(models, 'model')} loaded, ${countText(goldenRows, 'golden row')} answered rightly`,
    `  restored in ${restoreMs} ms, verified in ${verifyMs} ms, loaded in ${loadMs} ms, replayed in ${replayMs} ms`,
  ];
}
