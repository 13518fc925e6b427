import { randomUUID } from 'node:crypto';
import { Injectable, Logger, type OnModuleInit, Optional } from '@nestjs/common';
import { CorrelationContext } from '../../logging/correlation-context';
import { RegistryLog } from '../../storage/event-log.port';
import { ModelBlobs } from '../../storage/blob-store.port';
import { CommitUncertain, EventConflict, ReadOnly } from '../../storage/storage.errors';
import { StorageKeeper } from '../../storage/storage-keeper.service';
import type { RegistryEvent } from './registry-event';
import { restoredBy, type RestoredModels } from './restored-models';
import type { RegistrySnapshot } from './registry-snapshot';
import { RegistryState } from './registry-state';

/** What a decision says of the event to write; the journal adds who and under which id. */
export type Decision = RegistryEvent extends infer Event ? (Event extends RegistryEvent ? Members<Event> : never) : never;
type Members<Event> = { [Member in keyof Event as string extends Member ? never : Member]: Event[Member] } extends infer Known
  ? Omit<Known, 'actor' | 'correlationId'>
  : never;

/** A start need not fold more events than this. */
const CHECKPOINT_EVERY = 1000;
/** Members of events that the log has. */
const TOLD = ['kind', 'model', 'version', 'stage', 'alias', 'digest', 'executable', 'rollback', 'forced', 'snapshot'];

/** The only writer of the registry: decides on the newest state, appends, folds; who loses a race reads on and decides again. */
@Injectable()
export class RegistryJournal implements OnModuleInit {
  private readonly logger = new Logger(RegistryJournal.name);
  private last: Promise<unknown> = Promise.resolve();
  private checkpointAt = 0;

  constructor(
    private readonly log: RegistryLog,
    private readonly state: RegistryState,
    private readonly blobs: ModelBlobs,
    @Optional() private readonly keeper?: StorageKeeper,
  ) {}

  /** Reads the log from the newest checkpoint on. An empty place becomes a registry with a line of history of its own. @throws LogDamaged */
  async onModuleInit(): Promise<void> {
    await this.keeper?.prepare();
    const checkpoint = await this.log.newestCheckpoint();
    if (checkpoint !== undefined) this.state.restore(checkpoint.state as RegistrySnapshot, checkpoint.position);
    this.checkpointAt = this.state.position.seq;
    await this.foldNew();
    if (this.state.position.seq === 0 && this.readOnlyReason === undefined) await this.begin();
    const { seq } = this.state.position;
    this.logger.log('registry read', { events: seq, fromCheckpoint: checkpoint?.position.seq ?? 0, models: this.state.list().length });
    if (this.readOnlyReason !== undefined) this.logger.error('the registry takes no changes', { reason: this.readOnlyReason });
    await this.checkpointIfDue();
  }

  /** Why no changes are taken, if none are. Predictions do not depend on it. */
  get readOnlyReason(): string | undefined {
    const { foreign } = this.state;
    if (foreign !== undefined) return `event ${foreign.seq} is of the kind "${foreign.kind}", which a newer version of the service wrote`;
    if (this.keeper?.selfTest?.safe === false) return 'the file system lacks what the registry needs';
    return this.log.uncertain ? 'the disk did not confirm the last event' : undefined;
  }

  /**
   * Appends what `decide` wants, decided on a state that no other event has changed since.
   * @param decide called once for each lost race; `undefined`: nothing to do; may throw
   * @param restored the models of the state that a `registry.restored` names, where `decide` wants one
   * @throws CommitUncertain where the event is written but may not survive a power cut; ReadOnly; whatever `decide` throws
   */
  commit(actor: string, decide: () => Decision | undefined, restored?: RestoredModels): Promise<void> {
    const turn = this.last.then(() => this.decideAndAppend(actor, decide, restored));
    this.last = turn.catch(() => {});
    return turn;
  }

  /** For work that would be lost if it could not be committed: says so before it is done. @throws ReadOnly */
  requireWritable(): Promise<void> {
    return this.commit('system', () => undefined);
  }

  /** Reads what others wrote, in turn with this process's own commits. @returns the number of the last event @throws LogDamaged */
  readOn(): Promise<number> {
    const turn = this.last.then(async () => {
      await this.foldNew();
      return this.state.position.seq;
    });
    this.last = turn.catch(() => {});
    return turn;
  }

  /** Keeps the state as it is now, so that the next start need not fold what came before. @throws ReadOnly */
  async saveCheckpoint(): Promise<void> {
    // above all where a newer version wrote events: what they did is not in this state, and a start from it would not miss it
    if (this.readOnlyReason !== undefined) throw new ReadOnly(this.readOnlyReason);
    const { position } = this.state;
    await this.log.saveCheckpoint({ position, state: this.state.snapshot() });
    this.checkpointAt = position.seq;
  }

  /** Every commit on an empty log writes the first event before its own. */
  private begin(): Promise<void> {
    return CorrelationContext.run({ correlationId: `start-${randomUUID()}` }, () => this.requireWritable());
  }

  private async decideAndAppend(actor: string, decide: () => Decision | undefined, restored?: RestoredModels): Promise<void> {
    for (;;) {
      await this.foldNew();
      await this.settleOrRefuse();
      if (this.state.position.seq === 0) {
        await this.append('system', { kind: 'registry.created', lineage: randomUUID() });
        continue;
      }
      const decision = decide();
      if (decision === undefined) return;
      if (await this.append(actor, decision, restored)) break;
    }
    await this.checkpointIfDue();
  }

  /** After an event that was not confirmed: the log has been read again, now the disk is asked again. @throws ReadOnly */
  private async settleOrRefuse(): Promise<void> {
    await this.trySettle();
    if (this.readOnlyReason !== undefined) throw new ReadOnly(this.readOnlyReason);
  }

  private async trySettle(): Promise<void> {
    if (!this.log.uncertain) return;
    try {
      await this.log.settle();
    } catch (error) {
      if (!(error instanceof CommitUncertain)) throw error;
    }
  }

  /** @returns false where somebody else was faster */
  private async append(actor: string, decision: Decision, restored?: RestoredModels): Promise<boolean> {
    const correlationId = CorrelationContext.current?.correlationId ?? 'none';
    try {
      this.state.apply(await this.log.append(this.state.position, { ...decision, actor, correlationId }), restored);
      if (restored !== undefined) this.checkpointAt = Number.NEGATIVE_INFINITY; // the next start need not read what was restored
      this.logger.log('registry changed', { event: this.state.position.seq, ...toldOf(decision), actor });
      return true;
    } catch (error) {
      if (error instanceof EventConflict) return false;
      // it is written, and others may have read it: this process must know it too
      if (error instanceof CommitUncertain) {
        await this.foldNew();
        await this.trySettle();
      }
      throw error;
    }
  }

  private async foldNew(): Promise<void> {
    for await (const entry of this.log.read(this.state.position)) {
      this.state.apply(entry, await restoredBy(entry.event, this.blobs, (digest) => this.state.blobName(digest)));
    }
  }

  /** A checkpoint that cannot be written costs time at the next start, and nothing else. */
  private async checkpointIfDue(): Promise<void> {
    if (this.state.position.seq - this.checkpointAt < CHECKPOINT_EVERY || this.readOnlyReason !== undefined) return;
    try {
      await this.saveCheckpoint();
    } catch (error) {
      this.checkpointAt = this.state.position.seq; // not at every event from now on
      this.logger.warn('checkpoint not written', { err: error });
    }
  }
}

/** What the log has of an event: what it is about, and nothing that people wrote. */
function toldOf(decision: Decision): object {
  return Object.fromEntries(TOLD.flatMap((name) => (name in decision ? [[name, (decision as Record<string, unknown>)[name]]] : [])));
}
