import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './processes';

/** A disk that takes its time: strace holds up some system calls of a process, of all its threads, and notes which they were. */
export class SlowDisk {
  /** What comes before the command: the process that is started is the command's own, and is what signals go to. */
  readonly under: readonly string[];
  private readonly folder = mkdtempSync(join(tmpdir(), 'analytics-api-slow-'));
  private readonly trace = join(this.folder, 'trace');

  /** @param calls names of system calls @param ms how long each is held up */
  constructor(calls: readonly string[], ms: number) {
    const injected = calls.map((call) => `inject=${call}:delay_enter=${ms * 1000}`);
    const options = [`trace=${calls.join(',')}`, ...injected].flatMap((option) => ['-e', option]);
    this.under = ['strace', '-D', '-f', '--seccomp-bpf', '-qq', '-y', '-o', this.trace, ...options];
  }

  /** Waits for a call that has a text in its line: part of a path. */
  async met(text: string, ms = 20_000): Promise<void> {
    await until(`a call of ${text} is held up`, () => this.count(text) > 0, ms);
  }

  count(text: string): number {
    try {
      return readFileSync(this.trace, 'utf8').split(text).length - 1;
    } catch {
      return 0; // nothing was traced yet
    }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
