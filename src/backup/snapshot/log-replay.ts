import { isDeepStrictEqual } from 'node:util';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { hasCode } from '../../errors/has-code';
import { restoredBy } from '../../models/registry/restored-models';
import { RegistryState } from '../../models/registry/registry-state';
import { LOG_START, type LogPosition, type StoredEvent } from '../../storage/event-log.port';
import { lasting } from '../../storage/pieces';
import { BlobMissing } from '../../storage/storage.errors';
import { openEvent } from '../../storage/stored-event';
import { scanJson } from '../../wire/json-scan';
import { liveBlobs, summariesOf } from './registry-cut';
import { blobPath } from './read-manifest';
import type { EventsObject, SnapshotManifest, SnapshotObject } from './snapshot-manifest';
import { SnapshotDamaged } from './snapshot.errors';

const NEWLINE = 0x0a;
const MAX_EVENT_BYTES = 64 * 2 ** 20;
const MAX_STATE_BYTES = 2 ** 30;
/** More than an upload may have, by what an event and a state put around it. */
const RULES = { maxDepth: 40, maxKeys: 1000 };

/**
 * The registry as the events of a snapshot make it.
 * @param inspect sees every event before it is folded in; what it throws is what is wrong
 * @throws SnapshotDamaged where they do not hold together
 */
export async function registryOf(manifest: SnapshotManifest, read: ReadObject, inspect?: Inspect): Promise<RegistryState> {
  const replay = new LogReplay(manifest, read, inspect);
  for (const object of manifest.objects) {
    if (object.kind !== 'events') continue;
    for await (const chunk of read(object)) await replay.feed(chunk);
    const fault = replay.endOf(object);
    if (fault !== undefined) throw new SnapshotDamaged(`The object ${object.path}`, fault);
  }
  return replay.state;
}

/** Gives the plain bytes of an object, each piece until the next is asked for. @throws SnapshotDamaged where they are not what the manifest promises */
export type ReadObject = (object: SnapshotObject) => AsyncIterable<Uint8Array>;

/** Looks at an event. @throws SnapshotDamaged */
export type Inspect = (event: StoredEvent) => void;

/** Makes the registry of a snapshot from its log. */
export class LogReplay {
  readonly state = new RegistryState();
  private position: LogPosition = LOG_START;
  /** Of an event whose end has not come yet. */
  private rest: Uint8Array[] = [];
  private restBytes = 0;
  /** Why it went no further. */
  fault: string | undefined;

  /** @param read what events name that restored something is read by it */
  constructor(
    private readonly manifest: SnapshotManifest,
    private readonly read: ReadObject,
    private readonly inspect: Inspect = () => {},
  ) {}

  /** Takes the next bytes of the log, segment after segment. They may be others afterwards: what is kept of them is a copy. */
  async feed(chunk: Uint8Array): Promise<void> {
    const last = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let from = 0;
    for (let end = last.indexOf(NEWLINE); end !== -1; end = last.indexOf(NEWLINE, from)) {
      const line = Buffer.concat([...this.rest, last.subarray(from, end)]);
      this.keep([]);
      if (this.fault === undefined) await this.apply(line);
      from = end + 1;
    }
    this.keep([...this.rest, Buffer.from(last.subarray(from))]);
  }

  /** A segment is over. @returns what is wrong with it */
  endOf({ last, head }: EventsObject): string | undefined {
    if (this.fault !== undefined) return this.fault;
    const ends = this.restBytes === 0 && this.position.seq === last && this.position.hash === head;
    return ends ? undefined : `it does not end with event ${last}`;
  }

  /** @returns what the manifest says otherwise than the events do */
  contradictions(): readonly string[] {
    const { state } = this;
    const { lineage, seq, objects, models } = this.manifest;
    const paths = new Map(objects.map(({ path, bytes }) => [path, bytes]));
    const lost = [...liveBlobs(state)].filter(([name, bytes]) => paths.get(blobPath(name)) !== bytes).map(([name]) => name);
    return [
      ...(this.position.seq === seq ? [] : [`its events end at ${this.position.seq}, not at ${seq}`]),
      ...(state.lineage === lineage ? [] : [`its events are of the line ${state.lineage}`]),
      ...(state.foreign === undefined ? [] : [`event ${state.foreign.seq} is of the unknown kind ${state.foreign.kind}`]),
      ...lost.map((name) => `a version needs the blob ${name}, which the snapshot does not have`),
      ...(models === undefined || isDeepStrictEqual(models, summariesOf(state)) ? [] : ['its summary is not what its events make']),
    ];
  }

  private async apply(line: Buffer): Promise<void> {
    try {
      scanned(line, 'an event');
      const entry = openEvent(this.position, line);
      this.inspect(entry.event);
      const blobs = { open: (name: string) => this.blob(name) };
      this.state.apply(entry, await restoredBy(entry.event, blobs, (digest) => this.state.blobName(digest)));
      this.position = entry.position;
    } catch (error) {
      if (!hasCode(error, 'LOG_DAMAGED', 'SNAPSHOT_DAMAGED')) throw error;
      this.fault = (error as Error).message;
    }
  }

  /** A blob of the registry, out of the snapshot. */
  private async blob(name: string): Promise<Readable> {
    const object = this.manifest.objects.find(({ path }) => path === blobPath(name));
    if (object === undefined) throw new BlobMissing(name);
    if (object.bytes > MAX_STATE_BYTES) throw new SnapshotDamaged(`The object ${object.path}`, `it has more than ${MAX_STATE_BYTES} bytes`);
    return Readable.from([scanned(await buffer(lasting(this.read(object))), 'a state that was restored')]);
  }

  private keep(rest: Uint8Array[]): void {
    this.restBytes = rest.reduce((sum, { length }) => sum + length, 0);
    this.rest = this.restBytes === 0 || this.fault !== undefined ? [] : rest;
    if (this.restBytes > MAX_EVENT_BYTES) this.fault ??= `an event has more than ${MAX_EVENT_BYTES} bytes`;
  }
}

/** Others may have written it: what is built from it is as deep as it is. @throws SnapshotDamaged */
function scanned(json: Buffer, what: string): Buffer {
  try {
    scanJson(json, RULES);
    return json;
  } catch (cause) {
    if (!hasCode(cause, 'MALFORMED_JSON')) throw cause;
    throw new SnapshotDamaged('The log', `${what} is no JSON that means the same to every reader`, { cause });
  }
}
