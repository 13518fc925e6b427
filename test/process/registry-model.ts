/** Something that somebody does to a registry. What a kind does not need is left out. */
export interface Operation {
  readonly do: keyof typeof DOINGS;
  /** Which of two processes does it. */
  readonly house: 0 | 1;
  readonly model: string;
  readonly version?: number;
  /** Its first letter stands for the signature. */
  readonly content?: string;
  readonly stage?: Stage;
  readonly force?: boolean;
  readonly description?: string;
  readonly alias?: string;
  readonly key?: string;
  /** Only if the model is as it was so many changes ago. */
  readonly seen?: number;
  /** Of a collection: also what was deleted; of a restart: from a checkpoint of now. */
  readonly hard?: boolean;
  /** Which moment of the past is looked at afterwards, from 0 (the first) to 1. */
  readonly look?: number;
}

/** Every kind of operation, and how often it comes. */
export const DOINGS = { upload: 8, move: 8, rollback: 3, describe: 2, setAlias: 2, removeAlias: 1, deleteVersion: 4, undeleteVersion: 3, deleteModel: 1, undeleteModel: 1, collect: 1, restart: 1 }; // prettier-ignore

export type Stage = 'staging' | 'production' | 'archived';
/** `deleted`: the change of the model that took it away. */
type Version = { readonly content: string; readonly blob: string; readonly stage: Stage; readonly deleted?: number };
type Done = { readonly request: string; readonly version: number };

/** `changes`: how many there were; `deleted`: the one that took the model away. */
export class Model {
  description = '';
  versions: Record<number, Version> = {};
  past: readonly number[] = [];
  aliases: Record<string, number> = {};
  deleted?: number | undefined;
  changes = 0;
  keys: Record<string, Done> = {};

  get live(): readonly number[] {
    return Object.keys(this.versions).map(Number).filter((at) => this.versions[at]?.deleted === undefined); // prettier-ignore
  }
  get production(): number | undefined {
    return this.live.find((at) => this.versions[at]?.stage === 'production');
  }
  set(version: number, more: Partial<{ [Member in keyof Version]: Version[Member] | undefined }>): void {
    this.versions[version] = JSON.parse(JSON.stringify({ ...this.versions[version], ...more })) as Version;
  }
}

class Refusal extends Error {}
const refuse = (code: string): never => {
  throw new Refusal(code);
};

/** What a registry must be, in plain data and without a word of src/: the oracle of the property test. */
export class RegistryModel {
  readonly models: Record<string, Model> = {};
  private readonly stored = new Set<string>();
  private readonly names: Record<string, number> = {};

  /** @returns the version that it is about, 0 where it is about none, or the code of the refusal */
  do(op: Operation): number | string {
    try {
      return op.do === 'restart' ? 0 : this[op.do](op);
    } catch (error) {
      if (error instanceof Refusal) return error.message;
      throw error;
    }
  }

  private upload(op: Operation): number {
    const { content = '', description, stage, key, version: asked } = op;
    let created = true;
    const published = this.once(op, `publish ${content} ${asked} ${stage} ${description}`, () => {
      const model = (this.models[op.model] ??= new Model());
      this.stored.add(this.nameOf(content));
      const equal = model.deleted === undefined && model.live.find((at) => model.versions[at]?.content === content);
      const version = equal || (asked ?? Math.max(0, ...Object.keys(model.versions).map(Number)) + 1);
      if (version !== (asked ?? version) || (!equal && version in model.versions)) refuse('VERSION_TAKEN');
      created = !equal;
      if (equal) return [equal, false];
      if (model.deleted !== undefined) Object.assign(model, { deleted: undefined, description: '', past: [] });
      model.set(version, { content, blob: this.nameOf(content), stage: 'staging' });
      return [version, true];
    });
    this.require(op.model, published);
    const { seen: _, ...rest } = op;
    const step = (name: string) => ({ ...rest, ...(key !== undefined && { key: `${key} ${name}` }) });
    if (description !== undefined) this.describe({ ...step('description'), description });
    if (stage !== undefined && !(created && stage === 'staging')) this.move({ ...step('stage'), version: published, stage });
    return published;
  }

  private move(op: Operation): number {
    const { version = 0, stage = 'staging', force = false } = op;
    this.once(op, `move ${version} to ${stage}`, () => {
      const model = this.require(op.model, version);
      const { production: present = 0, versions } = model;
      if (versions[version]?.stage === stage) return [version, false];
      const breaks = stage === 'production' && present && versions[present]?.content[0] !== versions[version]?.content[0];
      if (breaks && !force) refuse('SIGNATURE_CHANGED');
      if (present && (stage === 'production' || present === version)) model.past = [...model.past, present];
      if (present && stage === 'production') model.set(present, { stage: 'archived' });
      model.set(version, { stage });
      return [version, true];
    });
    this.require(op.model, version);
    return version;
  }

  private rollback(op: Operation): number {
    const target = this.once(op, 'rollback', () => {
      const model = this.require(op.model);
      const { past, production: present, live } = model;
      const at = past.findLastIndex((version) => version !== present && live.includes(version));
      const version = past[at] ?? refuse('NOTHING_TO_ROLL_BACK');
      model.past = past.slice(0, at);
      if (present !== undefined) model.set(present, { stage: 'archived' });
      model.set(version, { stage: 'production' });
      return [version, true];
    });
    this.require(op.model, target);
    return target;
  }

  private describe(op: Operation): number {
    this.once(op, `describe ${op.description}`, () => {
      const model = this.require(op.model);
      const { description = model.description } = op;
      const changed = description !== model.description;
      model.description = description;
      return [0, changed];
    });
    this.require(op.model);
    return 0;
  }

  private setAlias(op: Operation): number {
    const { alias = '', version = 0 } = op;
    this.once(op, `point ${alias} at ${version}`, () => {
      const { aliases } = this.require(op.model, version);
      const changed = aliases[alias] !== version;
      aliases[alias] = version;
      return [version, changed];
    });
    this.require(op.model, version);
    return version;
  }

  private removeAlias(op: Operation): number {
    return this.once(op, `remove ${op.alias}`, () => {
      const { aliases } = this.require(op.model);
      if (aliases[op.alias ?? ''] === undefined) refuse('ALIAS_NOT_FOUND');
      delete aliases[op.alias ?? ''];
      return [0, true];
    }) && 0; // prettier-ignore
  }

  private deleteVersion(op: Operation): number {
    return this.once(op, `delete ${op.version}`, () => this.takeAway(this.require(op.model, op.version), [op.version ?? 0])) && 0;
  }

  private deleteModel(op: Operation): number {
    return this.once(op, 'delete all', () => {
      const model = this.require(op.model);
      this.takeAway(model, model.live);
      model.deleted = model.changes + 1;
      return [0, true];
    }); // prettier-ignore
  }

  private undeleteVersion(op: Operation): number {
    const { version = 0 } = op;
    this.once(op, `undelete ${version}`, () => {
      const model = this.require(op.model);
      if (model.versions[version] === undefined) refuse('VERSION_NOT_FOUND');
      if (model.versions[version]?.deleted === undefined) refuse('NOT_DELETED');
      if (this.bringBack(model, [version]) === 0) refuse('BYTES_COLLECTED');
      return [version, true];
    });
    this.require(op.model, version);
    return version;
  }

  private undeleteModel(op: Operation): number {
    this.once(op, 'undelete all', () => {
      const model = this.models[op.model] ?? refuse('MODEL_NOT_FOUND');
      if (model.deleted === undefined) refuse('NOT_DELETED');
      const gone = Object.keys(model.versions).map(Number).filter((at) => model.versions[at]?.deleted === model.deleted); // prettier-ignore
      if (this.bringBack(model, gone) === 0 && gone.length > 0) refuse('BYTES_COLLECTED');
      model.deleted = undefined;
      return [0, true];
    });
    this.require(op.model);
    return 0;
  }

  /** Takes away what no version needs: `hard`: what is deleted needs nothing. */
  private collect({ hard = false }: Operation): number {
    const versions = Object.values(this.models).flatMap((model) => Object.values(model.versions));
    const needed = new Set(versions.flatMap(({ blob, deleted }) => (hard && deleted !== undefined ? [] : [blob])));
    for (const name of [...this.stored].filter((each) => !needed.has(each))) {
      const [content = ''] = name.split('.');
      if (name === this.nameOf(content)) this.names[content] = (this.names[content] ?? 0) + 1;
      this.stored.delete(name);
    }
    return 0;
  }

  /** Does what a key names once, and only on the state that the caller saw. */
  private once(
    { model: name, key = '', seen }: Operation,
    request: string,
    decide: () => readonly [version: number, changed: boolean],
  ): number {
    const done = this.models[name]?.keys[key];
    if (done !== undefined) return done.request === request ? done.version : refuse('IDEMPOTENCY_KEY_REUSED');
    if (seen !== undefined && !(name in this.models)) refuse('MODEL_NOT_FOUND');
    if (seen !== undefined && seen > 0) refuse('MODEL_CHANGED');
    const [version, changed] = decide();
    const model = this.models[name] as Model;
    if (changed) model.changes++;
    if (changed && key !== '') model.keys[key] = { request, version };
    return version;
  }

  private takeAway(model: Model, versions: readonly number[]): readonly [number, boolean] {
    const used = (version: number) => version === model.production || Object.values(model.aliases).includes(version);
    if (versions.some(used)) refuse('VERSION_IN_USE');
    for (const version of versions) model.set(version, { deleted: model.changes + 1 });
    return [0, true];
  }

  /** @returns how many of them still had their bytes */
  private bringBack(model: Model, versions: readonly number[]): number {
    const held = versions.flatMap((version) => {
      const { content, blob } = model.versions[version] as Version;
      return this.stored.has(this.nameOf(content)) || this.stored.has(blob) ? [{ version, blob: this.nameOf(content) }] : [];
    });
    for (const { version, blob } of held) {
      this.stored.add(blob);
      model.set(version, { blob, deleted: undefined });
    }
    return held.length;
  }

  private require(name: string, version?: number): Model {
    const model = this.models[name];
    if (model === undefined || model.deleted !== undefined) return refuse('MODEL_NOT_FOUND');
    return version === undefined || model.live.includes(version) ? model : refuse('VERSION_NOT_FOUND');
  }

  private nameOf(content: string): string {
    return `${content}.${this.names[content] ?? 0}`;
  }
}
