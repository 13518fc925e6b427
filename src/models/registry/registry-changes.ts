import { Injectable } from '@nestjs/common';
import { IdempotencyKeyReused, ModelChanged } from './registry.errors';
import { type Decision, RegistryJournal } from './registry-journal';
import type { Done } from './registry-records';
import { RegistryState } from './registry-state';

/** Who wants a change, why, and on which condition. */
export interface Change {
  readonly actor: string;
  readonly reason?: string;
  /** The ETag of the model that the caller saw: where another change came first, this one is refused. */
  readonly ifMatch?: string;
  /** Names the request: what was done under it once is not done again. */
  readonly idempotencyKey?: string;
}

/** How a model is changed: never on a state that the caller did not mean, and never twice for one request. */
@Injectable()
export class RegistryChanges {
  constructor(
    private readonly state: RegistryState,
    private readonly journal: RegistryJournal,
  ) {}

  /**
   * Reads on, so that nobody is refused for what was so a moment ago.
   * @param request what is asked for, in a few words: the same for the same request
   * @returns what was done before under the caller's key, if it was
   * @throws IdempotencyKeyReused, ModelChanged: before anything is done for nothing; LogDamaged
   */
  async before(model: string, request: string, change: Change): Promise<Done | undefined> {
    await this.journal.readOn();
    return this.doneBefore(model, request, change);
  }

  /**
   * Appends what `decide` wants, unless that was done before.
   * @returns what was done before under the caller's key; `decide` was not asked then
   * @throws as `before`, RegistryJournal.commit and `decide`
   */
  async commit(model: string, request: string, change: Change, decide: () => Decision | undefined): Promise<Done | undefined> {
    let done: Done | undefined;
    await this.journal.commit(change.actor, () => {
      done = this.doneBefore(model, request, change);
      const decision = done === undefined ? decide() : undefined;
      return decision && { ...decision, ...saidWith(request, change) };
    });
    return done;
  }

  private doneBefore(model: string, request: string, change: Change): Done | undefined {
    const { idempotencyKey: key } = change;
    const done = key === undefined ? undefined : this.state.findKnown(model)?.done.get(key);
    if (done !== undefined && done.request !== request) throw new IdempotencyKeyReused(done.request, request);
    // a request that is repeated saw what was there before it was done
    if (done === undefined) this.refuseStale(model, change);
    return done;
  }

  /** @throws ModelChanged */
  private refuseStale(model: string, { ifMatch }: Change): void {
    if (ifMatch === undefined) return;
    const current = this.state.etagOf(model);
    const wanted = ifMatch.split(',').map((tag) => tag.trim()); // RFC 9110, 13.1.1: one of several, or any
    if (!wanted.some((tag) => tag === '*' || tag === current)) throw new ModelChanged(model, ifMatch, current);
  }
}

/** What an event says of the request that made it. */
function saidWith(request: string, { reason, idempotencyKey }: Change): { readonly reason?: string; readonly request?: string } {
  return { ...(reason !== undefined && { reason }), ...(idempotencyKey !== undefined && { idempotencyKey, request }) };
}
