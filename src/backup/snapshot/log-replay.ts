import { isDeepStrictEqual } from 'node:util';
import type { Readable } from 'node:stream';
import { hasCode } from '../../errors/has-code';
import { restoredBy } from '../../models/registry/restored-models';
import { RegistryState } from '../../models/registry/registry-state';
import { LOG_START, type LogPosition } from '../../storage/event-log.port';
import { BlobMissing } from '../../storage/storage.errors';
import { openEvent } from '../../storage/stored-event';
import { liveBlobs, summariesOf } from './registry-cut';
import { blobPath } from './read-manifest';
import type { EventsObject, SnapshotManifest, SnapshotObject } from './snapshot-manifest';
import { SnapshotDamaged } from './snapshot.errors';

const NEWLINE = 0x0a;

/** The registry as the events of a snapshot make it. @throws SnapshotDamaged where they do not hold together */
export async function registryOf(manifest: SnapshotManifest, open: OpenObject): Promise<RegistryState> {
  const replay = new LogReplay(manifest, open);
  for (const object of manifest.objects) {
    if (object.kind !== 'events') continue;
    for await (const chunk of await open(object)) await replay.feed(chunk as Uint8Array);
    const fault = replay.endOf(object);
    if (fault !== undefined) throw new SnapshotDamaged(`The object ${object.path}`, fault);
  }
  return replay.state;
}

/** Gives the plain bytes of an object; the stream fails where they are not what the manifest promises. */
export type OpenObject = (object: SnapshotObject) => Promise<Readable>;

/** Makes the registry of a snapshot from its log. */
export class LogReplay {
  readonly state = new RegistryState();
  private position: LogPosition = LOG_START;
  private rest = Buffer.alloc(0);
  /** Why it went no further. */
  fault: string | undefined;

  /** @param open what events name that restored something is read by it */
  constructor(
    private readonly manifest: SnapshotManifest,
    private readonly open: OpenObject,
  ) {}

  /** Takes the next bytes of the log, segment after segment. */
  async feed(chunk: Uint8Array): Promise<void> {
    let bytes = Buffer.concat([this.rest, chunk]);
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE)) {
      if (this.fault === undefined) await this.apply(bytes.subarray(0, end));
      bytes = bytes.subarray(end + 1);
    }
    this.rest = bytes;
  }

  /** A segment is over. @returns what is wrong with it */
  endOf({ last, head }: EventsObject): string | undefined {
    if (this.fault !== undefined) return this.fault;
    const ends = this.rest.length === 0 && this.position.seq === last && this.position.hash === head;
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
      const entry = openEvent(this.position, line);
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
    return this.open(object);
  }
}
