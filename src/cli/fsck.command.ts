import type { Command } from 'commander';
import { type Finding, fsck } from '../models/upkeep/fsck';
import { holdsRegistry } from '../storage/folder-inventory';
import { type CommandOutput, EXIT } from './command';
import { type CommandFrame, examples } from './command-frame';
import { modelsDirOf, toolConfig } from './command-settings';

/** What `fsck` was asked for. */
export interface FsckOptions {
  readonly root: string;
  readonly json: boolean;
  readonly repair: boolean;
}

/** `fsck`: no server need run. */
export function addFsckCommand(program: Command, frame: CommandFrame): void {
  program
    .command('fsck')
    .description("check the registry's folder: every byte, every event, and what lies about; no server need run")
    .option('--repair', 'mend what can be mended by adding; nothing is ever taken away')
    .addHelpText('after', examples('fsck', 'fsck --models-dir /data/models --json', 'fsck --repair'))
    .action(
      frame.brief<{ repair?: boolean }>(({ options, output }) => {
        const root = modelsDirOf(options, toolConfig());
        return fsckCommand({ root, json: options.json === true, repair: options.repair === true }, output);
      }),
    );
}

/**
 * Checks a registry's folder and names every finding. The last line is the outcome, also where the check itself fails.
 * @returns the exit code: 0 nothing is wrong, 1 the history is damaged or the check failed, 3 versions are damaged, 10 no registry there
 */
export async function fsckCommand(options: FsckOptions, { out }: CommandOutput): Promise<number> {
  const { code, reason, ...counts } = await check(options, out).catch((error: unknown) => {
    return { code: EXIT.error, reason: `The check failed: ${(error as Error).message}` };
  });
  out(options.json ? JSON.stringify({ code, reason, ...counts }) : reason);
  return code;
}

async function check({ root, json, repair }: FsckOptions, out: CommandOutput['out']): Promise<{ code: number; reason: string }> {
  if (!(await holdsRegistry(root))) return { code: EXIT.noRepository, reason: `There is no registry in ${root}` };
  const counts = { fatal: 0, damage: 0, note: 0, repaired: 0 };
  for await (const finding of fsck(root, repair)) {
    out(json ? JSON.stringify(finding) : lineOf(finding));
    counts[finding.repaired === undefined ? finding.severity : 'repaired']++;
  }
  const summary = `${counts.fatal} fatal, ${counts.damage} damaged, ${counts.repaired} repaired, ${counts.note} to note`;
  if (counts.fatal > 0) return { code: EXIT.error, reason: `The history is damaged: ${summary}`, ...counts };
  if (counts.damage > 0) return { code: EXIT.partial, reason: `Versions are damaged: ${summary}`, ...counts };
  return { code: EXIT.ok, reason: `All is well: ${summary}`, ...counts };
}

function lineOf({ severity, code, subject, detail, repaired }: Finding): string {
  return `${severity.padEnd(6)} ${code} ${subject}: ${detail}${repaired === undefined ? '' : ` -> ${repaired}`}`;
}
