import { hasCode } from '../../errors/has-code';
import type { BlobName } from '../../storage/blob-store.port';
import { LOG_START } from '../../storage/event-log.port';
import { hashOf } from '../../storage/stored-event';
import { inLanes } from './in-lanes';
import type { ObjectIntake } from './object-intake';
import { blobPath, segmentPath } from './read-manifest';
import type { RegistryCut } from './registry-cut';
import type { RegistrySource, Segment } from './registry-source';
import { Refusal } from './snapshot-failure';
import type { EventsObject, SnapshotObject } from './snapshot-manifest';
import type { TakingSteps } from './taking-steps';

/** So many objects at a time: while one waits for the disk to confirm it, the next is read. More of them leave predictions less of the CPUs. */
const LANES = 2;

/** Copies what a cut of the registry needs, as far as it is not there yet. */
export class RegistryCopy {
  constructor(
    private readonly source: RegistrySource,
    private readonly intake: ObjectIntake,
    private readonly steps: TakingSteps,
  ) {}

  /** The log up to the cut, in segments. */
  async keepEvents({ lineage, position }: RegistryCut): Promise<readonly EventsObject[]> {
    const full = this.intake.fullSegments(lineage, position.seq);
    const { last: seq, head: hash } = full.at(-1) ?? { last: 0, head: LOG_START.hash };
    // an older folder may have been put in the place of the registry: from some event on its history is another
    const same = await this.source.has({ seq, hash });
    const segments = same ? [...full] : [];
    const from = same ? { seq, hash } : LOG_START;
    for await (const segment of this.source.segments(from, position)) segments.push(await this.keepSegment(segment));
    return segments;
  }

  private async keepSegment({ bytes, ...segment }: Segment): Promise<EventsObject> {
    const wanted = { kind: 'events', path: segmentPath(segment.first, segment.last), sha256: hashOf(bytes), bytes: bytes.length } as const;
    this.steps.expect(bytes.length);
    const kept = await this.steps.on(wanted.path, bytes.length, (watch) => this.intake.keep(wanted, () => watch([bytes])));
    return { ...wanted, ...segment, ...kept };
  }

  /**
   * The blobs of the cut. Nothing is held on to: what a collection takes away meanwhile is needed by nothing that is there by then, and so
   * not by a newer cut.
   * @returns undefined where that happened
   */
  async keepBlobs({ needed, wanted }: RegistryCut): Promise<readonly SnapshotObject[] | undefined> {
    const objects: SnapshotObject[] = [];
    let moved = false;
    await inLanes(LANES, needed, async ([name, bytes]) => {
      const object = moved ? undefined : await this.keepBlob(name, bytes);
      if (object !== undefined) objects.push(object);
      else if (!moved && (await this.source.needs(name))) throw missing(name);
      else moved = true;
    });
    await inLanes(LANES, moved ? [] : wanted, async ([name, bytes]) => {
      const object = await this.keepBlob(name, bytes).catch(ignoreDamage);
      if (object !== undefined) objects.push(object);
    });
    return moved ? undefined : objects;
  }

  /** @returns undefined where it is not there */
  private async keepBlob(name: BlobName, bytes: number): Promise<SnapshotObject | undefined> {
    const wanted = { kind: 'blob', path: blobPath(name), sha256: name.slice(0, 64), bytes } as const;
    try {
      const kept = await this.steps.on(wanted.path, bytes, (watch) => this.intake.keep(wanted, () => watch(this.source.read(name))));
      return { ...wanted, ...kept };
    } catch (error) {
      if (hasCode(error, 'BLOB_MISSING')) return undefined;
      throw error;
    }
  }
}

/** What was deleted and may come back is taken along as far as it is good: it must not keep the rest from being saved. */
function ignoreDamage(error: unknown): undefined {
  if (!(error instanceof Refusal)) throw error;
}

function missing(name: BlobName): Refusal {
  const detail = `the blob ${name} is missing in the registry: upload its file again, or delete its version`;
  return new Refusal('registry-damaged', detail, [blobPath(name)]);
}
