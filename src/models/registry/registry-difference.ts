import type { Stage } from './registry-event';
import type { ModelRecord } from './registry-records';

/** How a version differs: `here` and `then` are its stages, `null` where it is not there. */
export interface VersionDifference {
  readonly version: number;
  readonly here: Stage | null;
  readonly then: Stage | null;
  /** Its number means another artifact then. */
  readonly otherArtifact?: true;
}

/** How a model differs between two states. Absent members: they do not. */
export interface ModelDifference {
  readonly model: string;
  /** Whether it is there. */
  readonly here: boolean;
  readonly then: boolean;
  readonly production?: { readonly here: number | null; readonly then: number | null };
  readonly versions: readonly VersionDifference[];
  readonly aliases: readonly { readonly alias: string; readonly here: number | null; readonly then: number | null }[];
  /** The description or the tags are others. */
  readonly described?: true;
}

/** @returns undefined where callers see no difference */
export function modelDifference(here: ModelRecord | undefined, then: ModelRecord): ModelDifference | undefined {
  const [before, after] = [here, then].map((model) => (model?.deletion === undefined ? model : undefined));
  const production = { here: before?.production?.version ?? null, then: after?.production?.version ?? null };
  const difference: ModelDifference = {
    model: then.name,
    here: before !== undefined,
    then: after !== undefined,
    ...(production.here !== production.then && { production }),
    versions: versionDifferences(before, after),
    aliases: aliasDifferences(before, after),
    ...(before !== undefined && after !== undefined && isOtherwiseDescribed(before, after) && { described: true as const }),
  };
  const { versions, aliases, described } = difference;
  const same = difference.here === difference.then && versions.length === 0 && aliases.length === 0 && described === undefined;
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
      return [{ version, here: here?.stage ?? null, then: then?.stage ?? null, ...(other && { otherArtifact: true as const }) }];
    });
}

function aliasDifferences(before: ModelRecord | undefined, after: ModelRecord | undefined): ModelDifference['aliases'] {
  const names = new Set([...(before?.aliases.keys() ?? []), ...(after?.aliases.keys() ?? [])]);
  return [...names]
    .sort()
    .map((alias) => ({ alias, here: before?.aliases.get(alias) ?? null, then: after?.aliases.get(alias) ?? null }))
    .filter(({ here, then }) => here !== then);
}

function isOtherwiseDescribed(before: ModelRecord, after: ModelRecord): boolean {
  return before.description !== after.description || before.tags.join('\n') !== after.tags.join('\n');
}
