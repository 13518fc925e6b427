import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const TICK_MS = 10;
/** A machine that has others to serve as well may take long. */
const PATIENCE_MS = 20_000;

/** Waits for a state. @returns the first answer that is neither false nor undefined @throws after `ms` milliseconds, with `what` in it */
export async function until<T>(what: string, ask: () => T | Promise<T>, ms = PATIENCE_MS): Promise<Exclude<T, false | undefined>> {
  const deadline = performance.now() + ms;
  for (;;) {
    const answer = await ask();
    if (answer !== false && answer !== undefined) return answer as Exclude<T, false | undefined>;
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await sleep(TICK_MS);
  }
}

/** The engine hosts that a process has started and that still run. Linux only. */
export function hostsOf(parent: number): readonly number[] {
  const children = read(`/proc/${parent}/task/${parent}/children`).split(' ').filter(Boolean).map(Number);
  return children.filter((child) => !isGone(child) && /host\.(main\.js|cjs)\b/.test(read(`/proc/${child}/cmdline`)));
}

/** Ends the engine hosts that this very process has started: a test that failed may have left one, which would keep jest from ending. */
export function endOwnHosts(): void {
  for (const pid of hostsOf(process.pid)) process.kill(pid, 'SIGKILL');
}

/** Whether a process has ended. One that nobody has waited for yet has ended too. */
export function isGone(pid: number): boolean {
  const status = read(`/proc/${pid}/status`);
  return status === '' || /^State:\s+[ZX]/m.test(status);
}

/** The variables that a process was started with, as text. */
export function environmentOf(pid: number): string {
  return read(`/proc/${pid}/environ`).replaceAll('\0', '\n');
}

/** How long a process has computed so far, in ticks of 10 ms. */
export function ticksOf(pid: number): number {
  const [user, system] = read(`/proc/${pid}/stat`)
    .replace(/^.*\) /, '')
    .split(' ')
    .slice(11, 13);
  return Number(user) + Number(system);
}

/** What a process has in memory, 2^20 bytes; 0 where it has ended. */
export function residentMiB(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1];
  return Number(kibibytes ?? 0) / 1024;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(String((error as NodeJS.ErrnoException).code))) return '';
    throw error;
  }
}
