const MOST_IN_A_ROW = 5;
const LEAST_COMMANDS = 20;
const SHARE = 0.5;
const SLOTS = 10;
const SLOT_MS = 100;

interface Slot {
  since: number;
  commands: number;
  failures: number;
}

/** When it is enough: 5 failures in a row, or half of at least 20 commands within a second. */
export class FailureWindow {
  private inARow = 0;
  private readonly slots: Slot[] = Array.from({ length: SLOTS }, () => ({ since: -1, commands: 0, failures: 0 }));

  /**
   * @param now milliseconds, of a clock that does not go back
   * @returns whether it is enough
   */
  count(failed: boolean, now: number): boolean {
    this.inARow = failed ? this.inARow + 1 : 0;
    const slot = this.slotOf(now);
    slot.commands++;
    if (!failed) return false;
    slot.failures++;
    return this.inARow >= MOST_IN_A_ROW || this.halfFail(slot.since);
  }

  private slotOf(now: number): Slot {
    const since = Math.floor(now / SLOT_MS);
    const slot = this.slots[since % SLOTS] as Slot;
    if (slot.since !== since) Object.assign(slot, { since, commands: 0, failures: 0 });
    return slot;
  }

  private halfFail(newest: number): boolean {
    const recent = this.slots.filter(({ since }) => since > newest - SLOTS);
    const commands = recent.reduce((sum, slot) => sum + slot.commands, 0);
    const failures = recent.reduce((sum, slot) => sum + slot.failures, 0);
    return commands >= LEAST_COMMANDS && failures >= commands * SHARE;
  }
}
