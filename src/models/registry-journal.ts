import { randomUUID } from 'node:crypto';
import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { CorrelationContext } from '../logging/correlation-context';
import { RegistryLog } from '../storage/event-log.port';
import { CommitUncertain, EventConflict } from '../storage/storage.errors';
import type { RegistryEvent } from './registry-event';
import { RegistryState } from './registry-state';

/** What a decision says of the event to write; the journal adds who and under which id. */
export type Decision = RegistryEvent extends infer Event ? (Event extends RegistryEvent ? Members<Event> : never) : never;
type Members<Event> = { [Member in keyof Event as string extends Member ? never : Member]: Event[Member] } extends infer Known
  ? Omit<Known, 'actor' | 'correlationId'>
  : never;

/** The only writer of the registry: decides on the newest state, appends, folds; who loses a race reads on and decides again. */
@Injectable()
export class RegistryJournal implements OnModuleInit {
  private readonly logger = new Logger(RegistryJournal.name);
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly log: RegistryLog,
    private readonly state: RegistryState,
  ) {}

  /** Reads the whole log. An empty place becomes a registry with a line of history of its own. @throws LogDamaged */
  async onModuleInit(): Promise<void> {
    await CorrelationContext.run({ correlationId: `start-${randomUUID()}` }, () =>
      this.commit('system', () => (this.state.position.seq === 0 ? { kind: 'registry.created', lineage: randomUUID() } : undefined)),
    );
    this.logger.log('registry read', { events: this.state.position.seq, models: this.state.list().length });
  }

  /**
   * Appends what `decide` wants, decided on a state that no other event has changed since.
   * @param decide called once for each lost race; `undefined`: nothing to do; may throw
   * @throws CommitUncertain where the event is written but may not survive a power cut; whatever `decide` throws
   */
  commit(actor: string, decide: () => Decision | undefined): Promise<void> {
    const turn = this.last.then(() => this.decideAndAppend(actor, decide));
    this.last = turn.catch(() => {});
    return turn;
  }

  private async decideAndAppend(actor: string, decide: () => Decision | undefined): Promise<void> {
    for (;;) {
      await this.catchUp();
      const decision = decide();
      if (decision === undefined) return;
      if (await this.append(actor, decision)) return;
    }
  }

  /** @returns false where somebody else was faster */
  private async append(actor: string, decision: Decision): Promise<boolean> {
    const correlationId = CorrelationContext.current?.correlationId ?? 'none';
    try {
      this.state.apply(await this.log.append(this.state.position, { ...decision, actor, correlationId }));
      this.logger.log('registry changed', { event: this.state.position.seq, ...decision, manifest: undefined, signature: undefined });
      return true;
    } catch (error) {
      if (error instanceof EventConflict) return false;
      // it is written, and others may have read it: this process must know it too
      if (error instanceof CommitUncertain) await this.catchUp();
      throw error;
    }
  }

  private async catchUp(): Promise<void> {
    for await (const entry of this.log.read(this.state.position)) this.state.apply(entry);
    if (this.log.uncertain) await this.log.settle();
  }
}
