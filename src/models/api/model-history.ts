import { Injectable } from '@nestjs/common';
import { type StoredEvent, RegistryLog } from '../../storage/event-log.port';
import { RegistryState } from '../registry/registry-state';

/** A part of a model's history. */
export interface HistoryPage {
  /** The newest first. */
  readonly events: readonly StoredEvent[];
  /** Number of the last event here where there are older ones. */
  readonly next: number | null;
}

/** What happened to a model, read from the log; also to one that is deleted. */
@Injectable()
export class ModelHistory {
  constructor(
    private readonly state: RegistryState,
    private readonly log: RegistryLog,
  ) {}

  /** @param before only events with a lesser number @throws ModelNotFound, LogDamaged */
  async page(model: string, limit: number, before = Number.POSITIVE_INFINITY): Promise<HistoryPage> {
    const older = this.state.requireKnown(model).events.filter((seq) => seq < before);
    const numbers = older.slice(-limit).reverse();
    const events = await Promise.all(numbers.map((seq) => this.log.event(seq)));
    return { events, next: older.length > numbers.length ? (numbers.at(-1) ?? null) : null };
  }
}
