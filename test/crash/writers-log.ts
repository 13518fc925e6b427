import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RegistryEvent } from '../../src/models/registry/registry-event';
import type { StoredEvent } from '../../src/storage/event-log.port';

/** An event as its file has it. */
export type LoggedEvent = StoredEvent & RegistryEvent;

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

interface Version {
  readonly published: Extract<LoggedEvent, { kind: 'version.published' }>;
  readonly blob: string;
  /** Where it stood, each with the number of the event that put it there. */
  readonly stages: { readonly since: number; readonly stage: string }[];
}

/** The log of a registry, read from its files and folded by no code of the registry; it knows the state after every event. */
export class WritersLog {
  /** What is wrong with the log itself. */
  readonly faults: string[] = [];
  readonly events: LoggedEvent[] = [];
  private readonly hashes = ['0'.repeat(64)];
  private readonly byId = new Map<string, LoggedEvent[]>();
  private readonly versions = new Map<string, Map<number, Version>>();
  private readonly touched = new Map<string, number[]>();
  private readonly production = new Map<string, Version>();
  private readonly condemned = new Map<string, number>();
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

  /** Every version of a model that was ever published, with the name of its bytes. */
  publishedOf(model: unknown): readonly Version[] {
    return [...(this.versions.get(String(model))?.values() ?? [])];
  }

  /** Whether a version stood there after one of these events. */
  stood({ model, version, stage }: Readonly<Record<string, unknown>>, first: number, last: number): boolean {
    const stages = this.versions.get(String(model))?.get(Number(version))?.stages ?? [];
    return stages.some((there, at) => there.stage === stage && there.since <= last && (stages[at + 1]?.since ?? Infinity) > first);
  }

  /** What of a look was not so. */
  differences({ seq, hash, models }: Look): readonly string[] {
    if (this.hashes[seq] !== hash) return [`event ${seq} is not the one that it saw`];
    return models
      .filter(({ model, rows, whole }) => this.wholeAt(seq, model, rows) !== whole)
      .map(({ model }) => `at ${seq} model ${model} was not what it saw`);
  }

  private wholeAt(seq: number, model: string, rows: number): string {
    const key = `${model} ${rows} ${(this.touched.get(model) ?? []).findLast((at) => at <= seq)}`;
    const known = this.said.get(key);
    if (known !== undefined) return known;
    const whole = this.hashAt(seq, model, rows);
    this.said.set(key, whole);
    return whole;
  }

  private hashAt(seq: number, model: string, rows: number): string {
    const versions = this.publishedOf(model)
      .filter(({ published }) => published.seq <= seq)
      .sort((a, b) => a.published.version - b.published.version);
    const stageOf = ({ stages }: Version): string | undefined => stages.findLast(({ since }) => since <= seq)?.stage;
    const production = versions.find((version) => stageOf(version) === 'production')?.published.version ?? null;
    const last = versions.slice(-rows).map((version) => {
      const { published, blob } = version;
      return [published.version, published.digest, published.manifest.files[0]?.sha256, blob, stageOf(version)];
    });
    return sha256(JSON.stringify([model, versions.length, versions.at(-1)?.published.version, production, last]));
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
    if (event.kind !== 'registry.created' && event.kind !== 'blobs.condemned')
      this.touched.set(event.model, [...(this.touched.get(event.model) ?? []), seq]);
    switch (event.kind) {
      case 'registry.created':
        if (seq !== 1) this.faults.push(`event ${seq} creates the registry again`);
        break;
      case 'version.published':
        this.publish(event);
        break;
      case 'stage.changed':
        this.move(event);
        break;
      case 'blobs.condemned':
        for (const digest of event.digests) this.condemned.set(digest, seq);
        break;
      default:
        this.faults.push(`event ${seq} is of a kind that no writer asks for: ${event.kind}`);
    }
  }

  private publish(published: Version['published']): void {
    const { model, version, seq, manifest } = published;
    const versions = this.versions.get(model) ?? new Map<number, Version>();
    if (versions.has(version)) this.faults.push(`event ${seq} gives the number ${version} of ${model} a second time`);
    const digest = manifest.files[0]?.sha256 ?? '';
    const condemned = this.condemned.get(digest);
    const blob = condemned === undefined ? digest : `${digest}.${condemned}`;
    this.versions.set(model, versions.set(version, { published, blob, stages: [{ since: seq, stage: 'staging' }] }));
  }

  private move({ model, version, stage, seq }: Extract<LoggedEvent, { kind: 'stage.changed' }>): void {
    const moved = this.versions.get(model)?.get(version);
    if (moved === undefined) return void this.faults.push(`event ${seq} moves ${model}:${version}, which is not there`);
    const before = this.production.get(model);
    if (before === moved || stage === 'production') this.production.delete(model);
    if (before !== undefined && before !== moved && stage === 'production') before.stages.push({ since: seq, stage: 'archived' });
    moved.stages.push({ since: seq, stage });
    if (stage === 'production') this.production.set(model, moved);
  }
}

function sha256(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
