import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { ModelPast } from '../../src/models/api/model-past';
import type { Change } from '../../src/models/registry/registry-changes';
import { RegistryFollower } from '../../src/models/registry/registry-follower';
import type { ModelRecord } from '../../src/models/registry/registry-records';
import type { ImportReport, LoadedModel, ModelFile } from '../../src/runtime/model-runtime.port';
import type { BlobStore } from '../../src/storage/blob-store.port';
import type { EventLog } from '../../src/storage/event-log.port';
import { AnyRuntime, REPORT } from './any-runtime';
import { RegistryHouse } from './registry-house';
import { Model, type Operation, RegistryModel } from './registry-model';

const DAY_MS = 86_400_000;

/** Where the registries of one run lie. */
export interface Stores {
  readonly blobs: BlobStore;
  readonly log: EventLog;
  /** A folder for what can be made again. */
  readonly derived: string;
}

/** The first letter of a file is its signature. */
class LetterRuntime extends AnyRuntime {
  inMemory = 0;

  override async import({ path }: ModelFile): Promise<ImportReport> {
    const [name = ''] = readFileSync(path, 'utf8');
    return { ...REPORT, signature: { inputs: [{ name, datatype: 'FP32', shape: [-1] }], outputs: [] } };
  }

  override async load(file: ModelFile): Promise<LoadedModel> {
    let held = 1;
    this.inMemory += held;
    const unload = async () => {
      this.inMemory -= held;
      held = 0;
    };
    return { ...(await super.load(file)), unload };
  }
}

/** A process over the stores, with what follows the others. */
class Process {
  readonly runtime = new LetterRuntime();
  readonly house: RegistryHouse;
  readonly follower: RegistryFollower;
  readonly past: ModelPast;

  constructor(stores: Stores) {
    this.house = new RegistryHouse(stores.blobs, stores.log, this.runtime, undefined, stores.derived);
    const { journal, catalog, state, log } = this.house;
    this.follower = new RegistryFollower(journal, catalog, state);
    this.past = new ModelPast(state, log, stores.blobs);
  }

  static async start(stores: Stores): Promise<Process> {
    const process = new Process(stores);
    await process.house.journal.onModuleInit();
    await process.house.catalog.loadProduction();
    return process;
  }

  /** What is in production is served, and nothing else is in memory. */
  get served(): object {
    return { serving: this.house.catalog.serving.toSorted(), inMemory: this.runtime.inMemory };
  }
}

/** Does the same with a registry and with the model of one. @returns how they differ first, if they do */
export async function differenceOf(operations: readonly Operation[], stores: Stores): Promise<string | undefined> {
  const run = new Run(stores, [await Process.start(stores), await Process.start(stores)]);
  for (const [at, operation] of operations.entries()) {
    const difference = await run.step(operation);
    if (difference !== undefined) return `after operation ${at + 1} (${operation.do}): ${difference}`;
  }
  return (await run.differs(0)) ?? run.differs(1);
}

interface Moment {
  readonly seq: number;
  readonly at: string;
  readonly models: string;
}

class Run {
  private readonly model = new RegistryModel();
  /** How every model was after an event. */
  private readonly moments: Moment[] = [];

  constructor(
    private readonly stores: Stores,
    private readonly processes: [Process, Process],
  ) {}

  async step(operation: Operation): Promise<string | undefined> {
    const expected = this.model.do(operation);
    const actual = await this.outcome(operation);
    if (actual !== expected) return `expected ${expected}, but it was ${actual}`;
    const wrong = typeof expected === 'number' ? this.servesWrong(operation) : undefined;
    return wrong ?? (await this.differs(operation.house)) ?? this.pastDiffers(operation);
  }

  /** Whoever was told that a version is gone or moved is never answered by another from the same process. */
  private servesWrong({ do: name, house, model, key }: Operation): string | undefined {
    // what was done before under its key is not done now
    if (key !== undefined || !['move', 'rollback', 'deleteVersion', 'deleteModel'].includes(name)) return undefined;
    const served = servedVersion(this.processes[house].house, model);
    const { production, live = [] } = this.model.models[model] ?? {};
    const wrong = name === 'move' || name === 'rollback' ? served !== production : served !== undefined && !live.includes(served);
    return served !== undefined && wrong ? `version ${served} of ${model} is still served` : undefined;
  }

  async differs(which: 0 | 1): Promise<string | undefined> {
    const { house, follower } = this.processes[which];
    await follower.tick();
    const { state } = house;
    for (const name of ['m', 'n']) {
      const record = state.findKnown(name);
      const difference = different(this.model.models[name], record && plain(record), `process ${which}, ${name}`);
      if (difference !== undefined) return difference;
    }
    const serving = Object.entries(this.model.models).flatMap(([name, { production }]) => (production === undefined ? [] : [name]));
    const wrong = serving.find((name) => servedVersion(house, name) !== this.model.models[name]?.production);
    if (wrong !== undefined) return `process ${which} does not serve what is in production of ${wrong}`;
    return differentText({ serving: serving.sort(), inMemory: serving.length }, this.processes[which].served, `process ${which}`);
  }

  private async pastDiffers({ look = 0, house, model: name }: Operation): Promise<string | undefined> {
    const process = this.processes[house];
    const { state, log } = process.house;
    const { seq, at: now } = state.position;
    const before = this.moments.at(-1);
    if (before?.seq !== seq) {
      // a moment in which something else happened as well is none that can be asked for
      if (before !== undefined && (await log.event(before.seq + 1)).at === before.at) this.moments.pop();
      this.moments.push({ seq, at: now, models: JSON.stringify(this.model.models) });
    }
    const { at, models } = this.moments[Math.floor(look * this.moments.length)] as Moment;
    const then = (JSON.parse(models) as Record<string, Model>)[name];
    const visible = then?.deleted === undefined ? then : undefined;
    const record = await process.past.modelAt(name, at).catch(codeOf);
    if (typeof record === 'string')
      return visible === undefined && record === 'MODEL_NOT_FOUND' ? undefined : `${name} at ${at}: ${record}`;
    return different(visible && Object.assign(new Model(), visible), plain(record), `${name} at ${at}`);
  }

  private async outcome(operation: Operation): Promise<number | string> {
    try {
      return await this.perform(operation);
    } catch (error) {
      return codeOf(error);
    }
  }

  private async perform(op: Operation): Promise<number> {
    const { house } = this.processes[op.house];
    const { model, version = 0, stage = 'staging', alias = '', description, hard = false, force = false } = op;
    const change = this.changeOf(op);
    const { stages, deletion, collector } = house;
    switch (op.do) {
      case 'upload':
        return this.upload(op, change);
      case 'move':
        return (await stages.move(model, version, stage, { ...change, force })).version;
      case 'rollback':
        return (await stages.rollback(model, change)).version;
      case 'describe':
        return (await house.description.describe(model, { ...(description !== undefined && { description }) }, change)) && 0;
      case 'setAlias':
        return (await house.description.setAlias(model, alias, version, change)).version;
      case 'removeAlias':
        return (await house.description.removeAlias(model, alias, change)) ?? 0;
      case 'deleteVersion':
        return (await deletion.deleteVersion(model, version, change)) ?? 0;
      case 'undeleteVersion':
        return (await deletion.undeleteVersion(model, version, change)).version;
      case 'deleteModel':
        return (await deletion.deleteModel(model, change)) ?? 0;
      case 'undeleteModel':
        return (await deletion.undeleteModel(model, change)) && 0;
      case 'collect':
        return (await collector.collect('collector', { minAgeMs: -1, undeleteMs: hard ? -DAY_MS : DAY_MS })) && 0;
      case 'restart':
        if (hard) await house.journal.saveCheckpoint();
        this.processes[op.house] = await Process.start(this.stores);
        return 0;
    }
  }

  private async upload({ house, content = '', version, ...op }: Operation, change: Change): Promise<number> {
    const { blobs, uploads } = this.processes[house].house;
    const blob = await blobs.stage(Readable.from([Buffer.from(content)]), 2 ** 10);
    const { model, description, stage } = op;
    const said = {
      ...(version !== undefined && { version }),
      ...(description !== undefined && { description }),
      ...(stage !== undefined && { stage }),
    };
    return (await uploads.accept({ model, file: { name: content, blob }, metadata: {}, ...said }, change)).record.version;
  }

  /** The ETag of a model after each of its changes is what `events` says. */
  private changeOf({ key, seen, model }: Operation): Change {
    if (seen === undefined) return { actor: 'ada', ...(key !== undefined && { idempotencyKey: key }) };
    const { state } = this.newest.house;
    const seq = state.findKnown(model)?.events.at(-1 - seen) ?? 0;
    return { actor: 'ada', ifMatch: `"${state.lineage}-${seq}"`, ...(key !== undefined && { idempotencyKey: key }) };
  }

  /** Whoever was told an ETag was told it by the process that changed the model. */
  private get newest(): Process {
    const [one, two] = this.processes;
    return one.house.state.position.seq > two.house.state.position.seq ? one : two;
  }
}

/** A record in the words of the model. */
function plain({ description, versions, deletedVersions, past, aliases, deletion, events, done }: ModelRecord): object {
  const changeOf = (seq: number) => events.indexOf(seq) + 1;
  const deleted = [...deletedVersions.values()].map(({ record, deletion: { seq } }) => ({ record, deleted: changeOf(seq) }));
  const all = [...[...versions.values()].map((record) => ({ record, deleted: undefined })), ...deleted];
  return {
    description,
    versions: Object.fromEntries(
      all.map(({ record, deleted: gone }) => [
        record.version,
        { content: record.manifest.files[0]?.path, stage: record.stage, ...(gone !== undefined && { deleted: gone }) },
      ]),
    ),
    past,
    aliases: Object.fromEntries([...aliases].sort(([a], [b]) => (a < b ? -1 : 1))),
    deleted: deletion && changeOf(deletion.seq),
    changes: events.length,
    keys: [...done.keys()].sort(),
  };
}

function different(model: Model | undefined, actual: object | undefined, what: string): string | undefined {
  if (model === undefined) return differentText(undefined, actual, what);
  const { versions, aliases, keys, description, past, deleted, changes } = model;
  const told = {
    description,
    versions: Object.fromEntries(Object.entries(versions).map(([version, { blob: _, ...rest }]) => [version, rest])),
    past,
    aliases: Object.fromEntries(Object.entries(aliases).sort(([a], [b]) => (a < b ? -1 : 1))),
    deleted,
    changes,
    keys: Object.keys(keys).sort(),
  };
  return differentText(told, actual, what);
}

function differentText(expected: object | undefined, actual: object | undefined, what: string): string | undefined {
  const [wanted, is] = [expected, actual].map((value) => JSON.stringify(value));
  return wanted === is ? undefined : `${what}: expected ${wanted}, but it was ${is}`;
}

function servedVersion({ catalog }: RegistryHouse, name: string): number | undefined {
  try {
    const served = catalog.resolve(name);
    return served instanceof Promise ? undefined : served.record.version;
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): string {
  const { code } = error as { readonly code?: string };
  if (typeof code === 'string' && /^[A-Z_]+$/.test(code)) return code;
  throw error;
}
