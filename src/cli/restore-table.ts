import type { RestorePlan } from '../backup/restore/restore-plan';
import type { ModelDifference, VersionDifference } from '../models/registry/registry-difference';
import type { Conflict } from '../models/registry/registry-merge';
import { bytesText, minuteText } from './amounts';
import { countText } from './backup-inventory';
import { columns } from './snapshot-table';

/** What a list of numbers shows; `--json` has all. */
const SHOWN = 5;
const HEAD = ['MODEL', 'WHAT', 'PRODUCTION', 'VERSIONS', 'ALIASES'] as const;
const NOTHING = '-';

/** What a restore changes, a line a model; what stays, what is copied, what is damaged and what is lost, a line each. */
export function restoreTable({ snapshot, createdAt, signature, models, conflicts, copy, damaged, lost }: RestorePlan): readonly string[] {
  return [
    `${snapshot}, taken ${minuteText(createdAt)} (UTC), signature ${signature}`,
    ...(models.length === 0 ? ['nothing differs'] : columns([[...HEAD], ...models.map(rowOf)])),
    `copied: ${countText(copy.blobs, 'blob')}, ${bytesText(copy.bytes)}`,
    ...conflicts.map(conflictText),
    ...damaged.map(({ path, detail }) => `DAMAGED ${path}: ${detail}`),
    ...lost.map(({ model, version }) => `LOST version ${version} of ${model}`),
  ];
}

/** Something that is another one here. */
export function conflictText({ model, what, here, wanted }: Conflict): string {
  return `CONFLICT ${model}: ${what} is ${here} here, ${wanted} in the snapshot`;
}

function rowOf(difference: ModelDifference): readonly string[] {
  const { model, from, to, production, versions, aliases, described } = difference;
  const what = from ? (to ? 'changes' : 'goes') : 'comes back';
  return [
    model,
    described ? `${what}, described otherwise` : what,
    production === undefined ? 'stays' : moveText(production),
    versionsText(versions),
    aliases.map((alias) => `${alias.alias} ${moveText(alias)}`).join(', '),
  ];
}

function moveText({ from, to }: { readonly from: number | null; readonly to: number | null }): string {
  return `${from ?? NOTHING} -> ${to ?? NOTHING}`;
}

function versionsText(versions: readonly VersionDifference[]): string {
  const kinds: readonly (readonly [string, (version: VersionDifference) => boolean])[] = [
    ['back', ({ from }) => from === null],
    ['gone', ({ to }) => to === null],
    ['another', ({ otherArtifact }) => otherArtifact === true],
    ['other stage', ({ from, to, otherArtifact }) => from !== null && to !== null && otherArtifact !== true],
  ];
  return kinds.flatMap(([kind, is]) => numbersText(kind, versions.filter(is))).join('; ');
}

function numbersText(kind: string, versions: readonly VersionDifference[]): readonly string[] {
  if (versions.length === 0) return [];
  const shown = versions.slice(0, SHOWN).map(({ version }) => version);
  return [`${kind} ${shown.join(', ')}${versions.length > SHOWN ? ` and ${versions.length - SHOWN} more` : ''}`];
}
