import type { Stage } from './registry-event';
import type { ModelRecord } from './registry-records';

/** How a version differs: `from` and `to` are its stages, `null` where it is not there. */
export interface VersionDifference {
  readonly version: number;
  readonly from: Stage | null;
  readonly to: Stage | null;
  /** Its number means another artifact from then on. */
  readonly otherArtifact?: true;
}

/** How a model differs between two states. Absent members: they do not. */
export interface ModelDifference {
  readonly model: string;
  /** Whether it is there, before and after. */
  readonly from: boolean;
  readonly to: boolean;
  readonly production?: { readonly from: number | null; readonly to: number | null };
  readonly versions: readonly VersionDifference[];
  readonly aliases: readonly { readonly alias: string; readonly from: number | null; readonly to: number | null }[];
  /** The description or the tags are others. */
  readonly described?: true;
}

/** @returns undefined where callers see no difference */
export function modelDifference(from: ModelRecord | undefined, to: ModelRecord): ModelDifference | undefined {
  const [before, after] = [from, to].map((model) => (model?.deletion === undefined ? model : undefined));
  const production = { from: before?.production?.version ?? null, to: after?.production?.version ?? null };
  const difference: ModelDifference = {
    model: to.name,
    from: before !== undefined,
    to: after !== undefined,
    ...(production.from !== production.to && { production }),
    versions: versionDifferences(before, after),
    aliases: aliasDifferences(before, after),
    ...(before !== undefined && after !== undefined && isOtherwiseDescribed(before, after) && { described: true as const }),
  };
  const { versions, aliases, described } = difference;
  const same = difference.from === difference.to && versions.length === 0 && aliases.length === 0 && described === undefined;
  return same ? undefined : difference;
}

function versionDifferences(before: ModelRecord | undefined, after: ModelRecord | undefined): readonly VersionDifference[] {
  const numbers = new Set([...(before?.versions.keys() ?? []), ...(after?.versions.keys() ?? [])]);
  return [...numbers]
    .sort((a, b) => a - b)
    .flatMap((version) => {
      const [here, then] = [before, after].map((model) => model?.versions.get(version));
      const other = here !== undefined && then !== undefined && here.digest !== then.digest;
      if (!other && here?.stage === then?.stage) return [];
      return [{ version, from: here?.stage ?? null, to: then?.stage ?? null, ...(other && { otherArtifact: true as const }) }];
    });
}

function aliasDifferences(before: ModelRecord | undefined, after: ModelRecord | undefined): ModelDifference['aliases'] {
  const names = new Set([...(before?.aliases.keys() ?? []), ...(after?.aliases.keys() ?? [])]);
  return [...names]
    .sort()
    .map((alias) => ({ alias, from: before?.aliases.get(alias) ?? null, to: after?.aliases.get(alias) ?? null }))
    .filter(({ from, to }) => from !== to);
}

function isOtherwiseDescribed(before: ModelRecord, after: ModelRecord): boolean {
  return before.description !== after.description || before.tags.join('\n') !== after.tags.join('\n');
}
