import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RegistryEvent, RegistryRestored } from '../../src/models/registry/registry-event';
import type { StoredEvent } from '../../src/storage/event-log.port';

/** An event as its file has it. */
export type LoggedEvent = StoredEvent & Exclude<RegistryEvent, RegistryRestored>;

/** What a process says of a model: a hash of how many versions it has, which is in production, and what its last versions are. */
export interface Summary {
  readonly model: string;
  /** How many of the last versions are in the hash. */
  readonly rows: number;
  readonly whole: string;
}

/** What a process says of the registry, and as of which event. */
export interface Look {
  readonly seq: number;
  readonly hash: string;
  readonly models: readonly Summary[];
}

/** What held when: each value from the event on that made it so. */
class Timeline<T> {
  private readonly turns: { readonly since: number; readonly value: T }[] = [];

  set(since: number, value: T): void {
    this.turns.push({ since, value });
  }

  /** What held after event `seq`. */
  at(seq: number): T | undefined {
    return this.turns.findLast(({ since }) => since <= seq)?.value;
  }
}

/** Where a version is, and what its bytes are called. */
interface Standing {
  readonly stage: string;
  readonly blob: string;
  /** The event that took it out of sight, if it is. */
  readonly deleted?: number;
}

type Publication = Extract<LoggedEvent, { kind: 'version.published' }>;

interface Version {
  readonly published: Publication;
  readonly sha256: string;
  readonly standing: Timeline<Standing>;
}

interface Model {
  readonly versions: Map<number, Version>;
  readonly aliases: Map<string, Timeline<number | undefined>>;
  readonly production: Timeline<number | undefined>;
  /** What was in production before, the last one last. */
  readonly past: Timeline<readonly number[]>;
  /** The event that took it out of sight, while it is. */
  readonly deleted: Timeline<number | undefined>;
  readonly touched: number[];
}

/** How far back a model can be rolled. */
const MAX_PAST = 100;

/** A model after an event. */
export class Moment {
  constructor(
    private readonly model: Model,
    private readonly names: ReadonlyMap<string, Timeline<number>>,
    readonly seq: number,
  ) {}

  get isThere(): boolean {
    return this.model.touched.some((seq) => seq <= this.seq) && this.deletion === undefined;
  }

  get deletion(): number | undefined {
    return this.model.deleted.at(this.seq);
  }

  get production(): number | undefined {
    return this.model.production.at(this.seq);
  }

  get past(): readonly number[] {
    return this.model.past.at(this.seq) ?? [];
  }

  get aliases(): readonly (readonly [string, number])[] {
    const targets = [...this.model.aliases].map(([alias, target]) => [alias, target.at(this.seq)] as const);
    return targets.filter((entry): entry is [string, number] => entry[1] !== undefined).sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** Every version that was ever published, by number, with where it stood. */
  get versions(): readonly (readonly [Version, Standing])[] {
    return [...this.model.versions.values()]
      .flatMap((version) => {
        const standing = version.standing.at(this.seq);
        return standing === undefined ? [] : [[version, standing] as const];
      })
      .sort(([a], [b]) => a.published.version - b.published.version);
  }

  /** Where a version that is not deleted stood. */
  live(version: unknown): Standing | undefined {
    const standing = this.standing(version);
    return standing?.deleted === undefined ? standing : undefined;
  }

  standing(version: unknown): Standing | undefined {
    return this.model.versions.get(Number(version))?.standing.at(this.seq);
  }

  /** Why it cannot be deleted. */
  isInUse(version: number): boolean {
    return this.production === version || this.aliases.some(([, target]) => target === version);
  }

  /** What a rollback brings back. */
  get rollback(): number | undefined {
    return this.past.findLast((version) => version !== this.production && this.live(version) !== undefined);
  }

  /** Whether what a deleted version was made of has another name by now. */
  hasLostItsName(version: number): boolean {
    const digest = this.model.versions.get(version)?.sha256 ?? '';
    return this.standing(version)?.blob !== this.nameOf(digest);
  }

  nameOf(digest: string): string {
    const condemned = this.names.get(digest)?.at(this.seq);
    return condemned === undefined ? digest : `${digest}.${condemned}`;
  }
}

/** The log of a registry, read from its files and folded by no code of the registry; it knows the state after every event. */
export class WritersLog {
  /** What is wrong with the log itself. */
  readonly faults: string[] = [];
  readonly events: LoggedEvent[] = [];
  private readonly hashes = ['0'.repeat(64)];
  private readonly byId = new Map<string, LoggedEvent[]>();
  private readonly byKey = new Map<string, LoggedEvent>();
  private readonly models = new Map<string, Model>();
  /** The event that condemned a digest last. */
  private readonly condemned = new Map<string, Timeline<number>>();
  private readonly collections: number[] = [];
  /** What of the deleted an event condemned. */
  private readonly collected = new Map<number, readonly string[]>();
  /** How many versions need a name: those that are there, and those that are deleted. */
  private readonly needed = { live: new Map<string, number>(), deleted: new Map<string, number>() };
  private readonly said = new Map<string, string>();

  static async of(root: string): Promise<WritersLog> {
    const log = new WritersLog();
    for (const name of (await readdir(join(root, 'log'))).sort()) log.add(name, await readFile(join(root, 'log', name)));
    return log;
  }

  private constructor() {}

  /** The events that one operation caused. */
  caused(id: string): readonly LoggedEvent[] {
    return this.byId.get(id) ?? [];
  }

  /** The event of a request that came with a key. */
  underKey(model: unknown, key: unknown): LoggedEvent | undefined {
    return this.byKey.get(`${String(model)} ${String(key)}`);
  }

  /** Digests that an event condemned though a deleted version was made of them. */
  takenFromDeleted({ seq }: LoggedEvent): readonly string[] {
    return this.collected.get(seq) ?? [];
  }

  publicationOf(model: unknown, version: unknown): Publication | undefined {
    return this.models.get(String(model))?.versions.get(Number(version))?.published;
  }

  moment(model: unknown, seq: number): Moment {
    return new Moment(this.models.get(String(model)) ?? newModel(), this.condemned, seq);
  }

  /** All that a model was after one of these events. */
  moments(model: unknown, first: number, last: number): readonly Moment[] {
    const changes = [...(this.models.get(String(model))?.touched ?? []), ...this.collections].filter((seq) => seq > first && seq <= last);
    return [first, ...changes].map((seq) => this.moment(model, seq));
  }

  /** What of a look was not so. */
  differences({ seq, hash, models }: Look): readonly string[] {
    if (this.hashes[seq] !== hash) return [`event ${seq} is not the one that it saw`];
    return models
      .filter(({ model, rows, whole }) => this.wholeAt(seq, model, rows) !== whole)
      .map(({ model }) => `at ${seq} model ${model} was not what it saw`);
  }

  private wholeAt(seq: number, model: string, rows: number): string {
    const key = `${model} ${rows} ${this.models.get(model)?.touched.findLast((at) => at <= seq)}`;
    const known = this.said.get(key);
    if (known !== undefined) return known;
    const whole = this.hashAt(seq, model, rows);
    this.said.set(key, whole);
    return whole;
  }

  private hashAt(seq: number, model: string, rows: number): string {
    const moment = this.moment(model, seq);
    const { versions, production, aliases, past, deletion } = moment;
    const live = versions.filter(([, { deleted }]) => deleted === undefined);
    const last = live.slice(-rows).map(([{ published, sha256: bytes }, { blob, stage }]) => [published.version, published.digest, bytes, blob, stage]); // prettier-ignore
    const deleted = versions.flatMap(([{ published }, standing]) =>
      standing.deleted === undefined ? [] : [[published.version, standing.deleted]],
    );
    const highest = versions.at(-1)?.[0].published.version;
    return sha256(JSON.stringify([model, live.length, highest, production ?? null, last, aliases, past, deleted, deletion ?? null]));
  }

  private add(name: string, bytes: Buffer): void {
    const seq = this.events.length + 1;
    const event = JSON.parse(bytes.toString()) as LoggedEvent;
    if (name !== `${String(seq).padStart(20, '0')}.json` || event.seq !== seq) this.faults.push(`${name} is not event ${seq}`);
    if (event.previous !== this.hashes[seq - 1]) this.faults.push(`event ${seq} is not chained to the one before it`);
    if (event.at < (this.events.at(-1)?.at ?? '')) this.faults.push(`event ${seq} is of a time before the one before it`);
    this.events.push(event);
    this.hashes.push(sha256(bytes));
    this.byId.set(event.correlationId, [...this.caused(event.correlationId), event]);
    this.fold(event);
  }

  private fold(event: LoggedEvent): void {
    const { seq } = event;
    if (event.kind === 'registry.created') {
      if (seq !== 1) this.faults.push(`event ${seq} creates the registry again`);
      return;
    }
    if (event.kind === 'blobs.condemned') return this.condemn(event);
    const model = this.models.get(event.model) ?? newModel();
    const before = new Moment(model, this.condemned, seq - 1);
    const fault = this.faultOf(event, before);
    if (fault !== undefined) this.faults.push(`event ${seq}, ${event.kind} of ${event.model}: ${fault}`);
    this.models.set(event.model, model);
    model.touched.push(seq);
    if (event.idempotencyKey !== undefined) this.takeKey(event, event.idempotencyKey);
    this.apply(event, model, before);
  }

  /** What an event contradicts: it was decided on a state that was not there, or against the rules. */
  private faultOf(event: LoggedEvent, before: Moment): string | undefined {
    switch (event.kind) {
      case 'version.published':
        return before.standing(event.version) === undefined ? undefined : `the number ${event.version} is given a second time`;
      case 'stage.changed':
        if (before.live(event.version) === undefined) return `it moves ${event.version}, which is not there`;
        return event.rollback && before.rollback !== event.version ? `${event.version} is not what was in production before` : undefined;
      case 'alias.set':
        return before.live(event.version) === undefined ? `it points at ${event.version}, which is not there` : undefined;
      case 'alias.removed':
        return before.aliases.some(([alias]) => alias === event.alias) ? undefined : `there is no alias ${event.alias}`;
      case 'version.deleted':
        if (before.live(event.version) === undefined) return `it deletes ${event.version}, which is not there`;
        return before.isInUse(event.version) ? `it deletes ${event.version}, which is in use` : undefined;
      case 'model.deleted':
        if (!before.isThere) return 'it is not there';
        return before.versions.some(([{ published }, { deleted }]) => deleted === undefined && before.isInUse(published.version))
          ? 'a version of it is in use'
          : undefined;
      case 'version.undeleted':
        return !before.isThere || before.standing(event.version)?.deleted === undefined ? `${event.version} is not deleted` : undefined;
      case 'model.undeleted':
        return faultOfReturn(event.versions, before);
      default:
        return 'no writer asks for it';
    }
  }

  private apply(event: LoggedEvent, model: Model, before: Moment): void {
    const { seq } = event;
    switch (event.kind) {
      case 'version.published': {
        const digest = event.manifest.files[0]?.sha256 ?? '';
        const version = { published: event, sha256: digest, standing: new Timeline<Standing>() };
        model.versions.set(event.version, version);
        if (before.deletion !== undefined) model.past.set(seq, []); // its name begins anew
        model.deleted.set(seq, undefined);
        return this.stand(version, seq, { stage: 'staging', blob: before.nameOf(digest) });
      }
      case 'stage.changed':
        return this.move(event, model, before);
      case 'alias.set':
      case 'alias.removed': {
        const target = model.aliases.get(event.alias) ?? new Timeline<number | undefined>();
        model.aliases.set(event.alias, target);
        return target.set(seq, event.kind === 'alias.set' ? event.version : undefined);
      }
      case 'version.deleted':
        return this.takeAway(model, seq, before, [event.version]);
      case 'model.deleted':
        model.deleted.set(seq, seq);
        return this.takeAway(model, seq, before, [...model.versions.keys()].filter((version) => before.live(version) !== undefined)); // prettier-ignore
      case 'version.undeleted':
        return this.bringBack(model, seq, before, [event.version]);
      case 'model.undeleted':
        model.deleted.set(seq, undefined);
        return this.bringBack(model, seq, before, event.versions);
      default: // a fault, and told as one
    }
  }

  private move(event: Extract<LoggedEvent, { kind: 'stage.changed' }>, model: Model, before: Moment): void {
    const { version, stage, seq, rollback } = event;
    const { production, past } = before;
    const enters = stage === 'production';
    const leaves = production !== undefined && (production === version) !== enters;
    if (rollback) model.past.set(seq, past.slice(0, Math.max(0, past.lastIndexOf(version))));
    else if (leaves) model.past.set(seq, [...past, production].slice(-MAX_PAST));
    if (enters && leaves) this.change(model, seq, production, { stage: 'archived' });
    this.change(model, seq, version, { stage });
    if (enters || leaves) model.production.set(seq, enters ? version : undefined);
  }

  private takeAway(model: Model, seq: number, before: Moment, versions: readonly number[]): void {
    for (const version of versions) {
      this.change(model, seq, version, { deleted: seq });
      for (const [alias, target] of before.aliases) if (target === version) model.aliases.get(alias)?.set(seq, undefined);
      if (before.production === version) model.production.set(seq, undefined);
    }
  }

  /** What comes back is called what its bytes are called now. */
  private bringBack(model: Model, seq: number, before: Moment, versions: readonly number[]): void {
    for (const version of versions) {
      const blob = before.nameOf(model.versions.get(version)?.sha256 ?? '');
      this.change(model, seq, version, { blob, deleted: undefined });
    }
  }

  private condemn({ seq, digests }: Extract<LoggedEvent, { kind: 'blobs.condemned' }>): void {
    this.collections.push(seq);
    const names = new Moment(newModel(), this.condemned, seq - 1);
    const isNeeded = (by: ReadonlyMap<string, number>) => (digest: string) => (by.get(names.nameOf(digest)) ?? 0) > 0;
    const live = digests.filter(isNeeded(this.needed.live));
    if (live.length > 0) this.faults.push(`event ${seq} condemns what versions are made of: ${live.join()}`);
    this.collected.set(seq, digests.filter(isNeeded(this.needed.deleted)));
    for (const digest of digests) {
      const condemned = this.condemned.get(digest) ?? new Timeline<number>();
      this.condemned.set(digest, condemned);
      condemned.set(seq, seq);
    }
  }

  private takeKey(event: LoggedEvent & { readonly model: string }, key: string): void {
    if (this.underKey(event.model, key) !== undefined) this.faults.push(`event ${event.seq} does again what was done under ${key}`);
    this.byKey.set(`${event.model} ${key}`, event);
  }

  private change(
    { versions }: Model,
    seq: number,
    number: number,
    change: { readonly [Member in keyof Standing]?: Standing[Member] | undefined },
  ): void {
    const version = versions.get(number);
    const standing = version?.standing.at(seq);
    if (version === undefined || standing === undefined) return; // told already
    const { stage, blob, deleted } = { ...standing, ...change };
    this.stand(version, seq, { stage, blob, ...(deleted !== undefined && { deleted }) } as Standing);
  }

  private stand({ standing }: Version, seq: number, now: Standing): void {
    const before = standing.at(seq);
    const count = ({ blob, deleted }: Standing, difference: number): void => {
      const needed = deleted === undefined ? this.needed.live : this.needed.deleted;
      needed.set(blob, (needed.get(blob) ?? 0) + difference);
    };
    if (before !== undefined) count(before, -1);
    count(now, 1);
    standing.set(seq, now);
  }
}

/** Exactly those versions come back that went with the model, but for those whose bytes may be gone. */
function faultOfReturn(versions: readonly number[], before: Moment): string | undefined {
  const { deletion } = before;
  if (deletion === undefined) return 'it is not deleted';
  const strange = versions.filter((version) => before.standing(version)?.deleted !== deletion);
  if (strange.length > 0) return `it brings back ${strange.join()}, which did not go with it`;
  const left = before.versions.filter(([{ published }, { deleted }]) => deleted === deletion && !versions.includes(published.version));
  const lost = left.map(([{ published }]) => published.version).filter((version) => !before.hasLostItsName(version));
  return lost.length > 0 ? `it leaves out ${lost.join()}, whose bytes are there` : undefined;
}

function newModel(): Model {
  return {
    versions: new Map(),
    aliases: new Map(),
    production: new Timeline(),
    past: new Timeline(),
    deleted: new Timeline(),
    touched: [],
  };
}

function sha256(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
