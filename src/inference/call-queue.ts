import type { WaitingCall } from './waiting-call';

/**
 * What waits for the engines of one version. Callers take turns: who sends a thousand calls is not answered before who sends one.
 */
export class CallQueue {
  /** Calls of each caller, the oldest first; the caller whose turn it is next is the first. */
  private readonly byCaller = new Map<string, WaitingCall[]>();
  /** Runs that were asked for and have not begun. */
  tickets = 0;
  /** Runs that were asked for and have not ended. */
  runs = 0;
  /** Whether runs are being asked for just now. */
  asking = false;
  /** Rows of all calls. */
  rows = 0;
  calls = 0;

  push(call: WaitingCall): void {
    this.listOf(call).push(call);
    this.count(call, 1);
  }

  /** Of those that go first again, each runs alone. */
  putBack(calls: readonly WaitingCall[]): void {
    for (const call of calls.toReversed()) {
      call.alone = true;
      this.listOf(call).unshift(call);
      this.count(call, 1);
    }
  }

  remove(call: WaitingCall): void {
    const { caller } = call.call;
    const list = this.byCaller.get(caller);
    const at = list?.indexOf(call) ?? -1;
    if (list === undefined || at === -1) return;
    list.splice(at, 1);
    if (list.length === 0) this.byCaller.delete(caller);
    this.count(call, -1);
  }

  /** The newest call of a caller, which is the one to go where that caller has too many. */
  newestOf(caller: string): WaitingCall | undefined {
    return this.byCaller.get(caller)?.at(-1);
  }

  /** How many runs of so many rows it takes to answer all of it. */
  batches(mostRows: number): number {
    if (mostRows === 1 || this.calls === 0) return this.calls;
    return Math.max(1, Math.ceil(this.rows / mostRows));
  }

  /**
   * Takes what is run next: a call, and as many others of the same form as there is room for, from one caller after another.
   * @param mostRows of one run
   */
  take(mostRows: number): readonly WaitingCall[] {
    const batch: WaitingCall[] = [];
    let room = mostRows;
    for (const [caller, list] of this.byCaller) {
      const [first] = batch;
      const at = first === undefined ? 0 : list.findIndex((call) => !call.alone && call.form === first.form && call.rows <= room);
      const [call] = at === -1 ? [] : list.splice(at, 1);
      if (call === undefined) continue;
      this.byCaller.delete(caller);
      if (list.length > 0) this.byCaller.set(caller, list); // behind the others, and seen again by this loop
      this.count(call, -1);
      batch.push(call);
      room -= call.rows;
      if (mostRows === 1 || room <= 0 || call.alone) break;
    }
    return batch;
  }

  /** `performance.now()` at which the call came that has waited longest; infinite where nothing waits. */
  get oldestAt(): number {
    return Math.min(...[...this.byCaller.values()].map(([first]) => first?.queuedAt ?? Number.POSITIVE_INFINITY));
  }

  private listOf({ call: { caller } }: WaitingCall): WaitingCall[] {
    let list = this.byCaller.get(caller);
    if (list === undefined) this.byCaller.set(caller, (list = []));
    return list;
  }

  private count({ rows }: WaitingCall, sign: 1 | -1): void {
    this.rows += sign * rows;
    this.calls += sign;
  }
}
