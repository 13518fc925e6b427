import type { ModelRecord } from '../../src/models/registry/registry-records';
import type { RegistryState } from '../../src/models/registry/registry-state';

/** What callers can see of a model. */
export function seen({ description, tags, production, versions, aliases, past }: ModelRecord): object {
  const stages = [...versions.values()].map(({ version, stage, digest, executable }) => [version, stage, digest, executable]);
  return { description, tags, production: production?.version, stages, aliases: [...aliases].sort(), past: [...past] };
}

/** What callers can see of a registry. */
export function seenOf(state: RegistryState): object {
  return Object.fromEntries(state.list().map((model) => [model.name, seen(model)]));
}
