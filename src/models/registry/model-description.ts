import { Injectable } from '@nestjs/common';
import { AliasNotFound } from '../models.errors';
import { type Change, RegistryChanges } from './registry-changes';
import type { ModelRecord, VersionRecord } from './registry-records';
import { RegistryState } from './registry-state';

/** What belongs to a model, not to a version. */
export interface Description {
  readonly description?: string;
  readonly tags?: readonly string[];
}

/** What is said of a model: its description and tags, and what its versions are called. */
@Injectable()
export class ModelDescription {
  constructor(
    private readonly state: RegistryState,
    private readonly changes: RegistryChanges,
  ) {}

  /** Says what a model is; what is left out stays as it is. @throws ModelNotFound; as RegistryChanges.commit */
  async describe(model: string, said: Description, change: Change): Promise<ModelRecord> {
    await this.changes.commit(model, `describe ${JSON.stringify(said)}`, change, () => {
      const known = this.state.require(model);
      const { description = known.description, tags = known.tags } = said;
      const unchanged = description === known.description && JSON.stringify(tags) === JSON.stringify(known.tags);
      return unchanged ? undefined : { kind: 'model.described', model, description, tags };
    });
    return this.state.require(model);
  }

  /** Points an alias at a version, wherever it pointed before. @throws ModelNotFound, VersionNotFound; as RegistryChanges.commit */
  async setAlias(model: string, alias: string, version: number, change: Change): Promise<VersionRecord> {
    await this.changes.commit(model, `point ${alias} at ${version}`, change, () => {
      this.state.requireVersion(model, version);
      const unchanged = this.state.require(model).aliases.get(alias) === version;
      return unchanged ? undefined : { kind: 'alias.set', model, alias, version };
    });
    return this.state.requireVersion(model, version);
  }

  /** @throws ModelNotFound, AliasNotFound; as RegistryChanges.commit */
  async removeAlias(model: string, alias: string, change: Change): Promise<void> {
    await this.changes.commit(model, `remove ${alias}`, change, () => {
      const { aliases } = this.state.require(model);
      if (!aliases.has(alias)) throw new AliasNotFound(model, alias, [...aliases.keys()]);
      return { kind: 'alias.removed', model, alias };
    });
  }
}
