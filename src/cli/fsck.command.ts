import { type Finding, fsck } from '../models/fsck';
import { holdsRegistry } from '../storage/folder-inventory';
import { type CommandOutput, EXIT } from './command';

/** What `fsck` was asked for. */
export interface FsckOptions {
  readonly root: string;
  readonly json: boolean;
  readonly repair: boolean;
}

/**
 * Checks a registry's folder and names every finding.
 * @returns the exit code: 0 nothing is wrong, 1 the history is damaged, 3 versions are, 10 there is no registry
 */
export async function fsckCommand({ root, json, repair }: FsckOptions, { out }: CommandOutput): Promise<number> {
  const end = (code: number, reason: string, counts: object = {}): number => {
    out(json ? JSON.stringify({ code, reason, ...counts }) : reason);
    return code;
  };
  if (!(await holdsRegistry(root))) return end(EXIT.noRepository, `There is no registry in ${root}`);
  const counts = { fatal: 0, damage: 0, note: 0, repaired: 0 };
  for await (const finding of fsck(root, repair)) {
    out(json ? JSON.stringify(finding) : lineOf(finding));
    counts[finding.repaired === undefined ? finding.severity : 'repaired']++;
  }
  const summary = `${counts.fatal} fatal, ${counts.damage} damaged, ${counts.repaired} repaired, ${counts.note} to note`;
  if (counts.fatal > 0) return end(EXIT.error, `The history is damaged: ${summary}`, counts);
  return counts.damage > 0
    ? end(EXIT.partial, `Versions are damaged: ${summary}`, counts)
    : end(EXIT.ok, `All is well: ${summary}`, counts);
}

function lineOf({ severity, code, subject, detail, repaired }: Finding): string {
  return `${severity.padEnd(6)} ${code} ${subject}: ${detail}${repaired === undefined ? '' : ` -> ${repaired}`}`;
}
