import { readFileSync } from 'node:fs';
import { hostPids } from './host-process';

/** /proc counts in hundredths of a second, whatever the kernel's own clock is (USER_HZ). */
const TICKS = 100;

/**
 * What all engine processes of this server have computed, drills' included, seconds. The kernel itself adds what an ended child used to its
 * parent's account, so nothing is lost between two looks.
 */
export class HostsCpu {
  private most: number | undefined;

  /** Never less than before; `undefined` where there is no /proc. */
  seconds(): number | undefined {
    const ended = ticksOf('self')?.ofEnded;
    if (ended === undefined) return this.most;
    const running = [...hostPids()].map((pid) => ticksOf(pid)?.own ?? 0);
    const now = running.reduce((sum, ticks) => sum + ticks, ended) / TICKS;
    return (this.most = Math.max(this.most ?? 0, now));
  }
}

/** Fields 14 to 17 of proc_pid_stat(5). The name before them may hold anything. */
function ticksOf(pid: number | 'self'): { readonly own: number; readonly ofEnded: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 15)
      .map(Number);
    return { own: user + system, ofEnded: endedUser + endedSystem };
  } catch {
    return undefined; // not Linux, or it has ended
  }
}
