import { Injectable } from '@nestjs/common';
import canonicalize from 'canonicalize';
import { RegistryJournal } from '../../models/registry/registry-journal';
import { RegistryState } from '../../models/registry/registry-state';
import { type BlobName, ModelBlobs } from '../../storage/blob-store.port';
import { LOG_START, type LogPosition, RegistryLog, type StoredEvent } from '../../storage/event-log.port';
import { hashOf } from '../../storage/stored-event';
import { deletedBlobs, liveBlobs, type RegistryCut, summariesOf } from './registry-cut';
import { Refusal } from './snapshot-failure';
import { SEGMENT } from './snapshot-manifest';

/** Events that follow one another, one a line, byte for byte as they are stored. */
export interface Segment {
  readonly first: number;
  readonly last: number;
  readonly previous: string;
  readonly head: string;
  readonly bytes: Buffer;
}

/** Reads the registry that is saved. Nothing waits for it, and nothing is locked: what an event names never changes. */
@Injectable()
export class RegistrySource {
  constructor(
    private readonly state: RegistryState,
    private readonly journal: RegistryJournal,
    private readonly log: RegistryLog,
    private readonly blobs: ModelBlobs,
  ) {}

  /** The registry as it is now. @throws Refusal where there is none, or one that only a newer version understands; LogDamaged */
  async cut(): Promise<RegistryCut> {
    await this.journal.readOn();
    const { position, lineage, foreign } = this.state; // from here on nothing is awaited
    if (foreign !== undefined) {
      const detail = `event ${foreign.seq} is of the kind "${foreign.kind}", which a newer version of the service wrote: nobody here can say what it needs`;
      throw new Refusal('registry-newer', detail);
    }
    if (position.seq === 0) throw new Refusal('registry-empty', 'there is no registry yet');
    const needed = liveBlobs(this.state);
    const wanted = new Map([...deletedBlobs(this.state)].filter(([name]) => !needed.has(name)));
    return { position, lineage, createdAt: new Date().toISOString(), needed, wanted, models: summariesOf(this.state) };
  }

  /** Whether something needs a blob now. */
  async needs(name: BlobName): Promise<boolean> {
    await this.journal.readOn();
    return liveBlobs(this.state).has(name);
  }

  /** @throws BlobMissing */
  read(name: BlobName): AsyncIterable<Uint8Array> {
    return this.blobs.read(name);
  }

  /** Whether an event is the one that has this hash. */
  async has({ seq, hash }: Pick<LogPosition, 'seq' | 'hash'>): Promise<boolean> {
    return seq === 0 || hashOf(bytesOf(await this.log.event(seq))) === hash;
  }

  /** The events after `from`, up to the cut's last one. @param from the end of a full segment, or the start @throws LogDamaged, Refusal */
  async *segments(from: Pick<LogPosition, 'seq' | 'hash'>, to: LogPosition): AsyncIterable<Segment> {
    let previous = from.hash;
    let lines: Buffer[] = [];
    if (from.seq === to.seq) return;
    for await (const { event, position } of this.log.read({ ...from, at: LOG_START.at })) {
      lines.push(lineOf(event, position));
      const { seq, hash } = position;
      if (seq % SEGMENT === 0 || seq === to.seq) {
        yield { first: seq - lines.length + 1, last: seq, previous, head: hash, bytes: Buffer.concat(lines) };
        previous = hash;
        lines = [];
      }
      if (seq < to.seq) continue;
      if (hash !== to.hash) break;
      return;
    }
    throw new Refusal('registry-damaged', `event ${to.seq} is not the one that was read before`, [`log/${to.seq}`]);
  }
}

/** The stored bytes of an event, which are canonical JSON; its hash says whether they really are. @throws Refusal */
function lineOf(event: StoredEvent, { seq, hash }: LogPosition): Buffer {
  const bytes = bytesOf(event);
  if (hashOf(bytes) === hash) return Buffer.concat([bytes, Buffer.from('\n')]);
  throw new Refusal('registry-damaged', `event ${seq} is not stored as canonical JSON`, [`log/${seq}`]);
}

function bytesOf(event: StoredEvent): Buffer {
  return Buffer.from(canonicalize(event) as string);
}
