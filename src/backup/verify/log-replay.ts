import { isDeepStrictEqual } from 'node:util';
import { RegistryState } from '../../models/registry/registry-state';
import { LOG_START, type LogPosition } from '../../storage/event-log.port';
import { LogDamaged } from '../../storage/storage.errors';
import { openEvent } from '../../storage/stored-event';
import { liveBlobs, summariesOf } from '../snapshot/registry-cut';
import { blobPath } from '../snapshot/read-manifest';
import type { EventsObject, SnapshotManifest } from '../snapshot/snapshot-manifest';

const NEWLINE = 0x0a;

/** Makes the registry of a snapshot from its log, to see that the manifest says the same. */
export class LogReplay {
  private readonly state = new RegistryState();
  private position: LogPosition = LOG_START;
  private rest = Buffer.alloc(0);
  /** Why it went no further. */
  fault: string | undefined;

  /** Takes the next bytes of the log, segment after segment. */
  feed(chunk: Uint8Array): void {
    let bytes = Buffer.concat([this.rest, chunk]);
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE)) {
      if (this.fault === undefined) this.apply(bytes.subarray(0, end));
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
  contradictions({ lineage, seq, objects, models }: SnapshotManifest): readonly string[] {
    const { state } = this;
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

  private apply(line: Buffer): void {
    try {
      const entry = openEvent(this.position, line);
      this.state.apply(entry);
      this.position = entry.position;
    } catch (error) {
      if (!(error instanceof LogDamaged)) throw error;
      this.fault = error.message;
    }
  }
}
