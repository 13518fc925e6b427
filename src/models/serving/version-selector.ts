import { AliasNotFound, NoProductionVersion } from '../models.errors';
import type { ModelRecord, VersionRecord } from '../registry/registry-records';
import type { RegistryState } from '../registry/registry-state';

/** Which version a call wants; neither: the one in production. */
export interface VersionSelector {
  readonly version?: number;
  readonly alias?: string;
}

/** The version that is meant, whether it is in memory or not. @throws ModelNotFound, VersionNotFound, AliasNotFound, NoProductionVersion */
export function selectVersion(state: RegistryState, name: string, { version, alias }: VersionSelector = {}): VersionRecord {
  const model = state.require(name);
  const number = alias === undefined || alias === 'production' ? version : versionOf(model, alias);
  return number === undefined ? productionOf(model) : state.requireVersion(name, number);
}

function versionOf({ name, aliases }: ModelRecord, alias: string): number {
  const version = aliases.get(alias);
  if (version === undefined) throw new AliasNotFound(name, alias, [...aliases.keys()]);
  return version;
}

function productionOf({ name, production, versions }: ModelRecord): VersionRecord {
  if (production === undefined) throw new NoProductionVersion(name, [...versions.keys()]);
  return production;
}
