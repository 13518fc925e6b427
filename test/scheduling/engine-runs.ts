import { HostProcess } from '../../src/runtime/hosts/host-process';
import type { Tensor } from '../../src/runtime/tensor';

interface RunRequest {
  readonly do: string;
  readonly inputs?: readonly Tensor[];
}

/** What reaches the engines of this process, seen where it leaves for them. Its end is `jest.restoreAllMocks`. */
export class EngineRuns {
  private readonly seen: (readonly number[])[] = [];

  constructor() {
    const ask = HostProcess.prototype.ask as (...request: readonly unknown[]) => unknown;
    jest.spyOn(HostProcess.prototype, 'ask').mockImplementation(this.watching(ask) as HostProcess['ask']);
  }

  /** The numbers of every run since, in the order in which the runs began; of runs with one of these numbers, where some are named. */
  of(numbers?: readonly number[]): readonly (readonly number[])[] {
    return numbers === undefined ? this.seen : this.seen.filter((rows) => rows.some((row) => numbers.includes(row)));
  }

  private watching(ask: (...request: readonly unknown[]) => unknown): (...request: readonly unknown[]) => unknown {
    const { seen } = this;
    return function watched(this: HostProcess, ...args: readonly unknown[]): unknown {
      const { do: what, inputs: [first] = [] } = args[0] as RunRequest;
      if (what === 'run' && first !== undefined) seen.push(Array.from(first.data as ArrayLike<number>, Number));
      return ask.apply(this, [...args]);
    };
  }
}
