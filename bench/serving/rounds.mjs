// How everything is measured: by turns, round after round, so that what else the machine does hurts all of them.
import { readFileSync } from 'node:fs';
import { load } from './wrk.mjs';

/** Of an even number of values the mean of the two in the middle. @returns undefined of nothing */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) / 2;
  return sorted.length === 0 ? undefined : (sorted[Math.floor(at)] + sorted[Math.ceil(at)]) / 2;
}

/** Each round begins with another one: nobody always comes after the same. @returns by name what each round gave */
export async function byTurns(rounds, ways) {
  const names = Object.keys(ways);
  const seen = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const at of names.keys()) {
      const name = names[(round + at) % names.length];
      seen[name].push(await ways[name]());
    }
  }
  return seen;
}

/** Seconds of CPU that the whole machine has used, with what the kernel and other guests took. */
function busySeconds() {
  const [user, nice, system, , , irq, soft, steal] = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0].trim().split(/ +/).slice(1);
  return [user, nice, system, irq, soft, steal].reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
}

const ownSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/** Loads one server for one round. @returns what wrk saw, CPU a request of the server's whole tree, and how many cores others used meanwhile */
export async function sample(program, how) {
  program.forgetLog();
  const [startedAt, busy, own, used] = [performance.now(), busySeconds(), ownSeconds(), program.cpuSeconds];
  const seen = await load({ origin: program.origin, ...how });
  const cpuSeconds = program.cpuSeconds - used;
  const others = busySeconds() - busy - (ownSeconds() - own) - cpuSeconds - seen.wrkCpuSeconds;
  const elapsed = (performance.now() - startedAt) / 1000;
  const { wrkCpuSeconds, ...answered } = seen;
  return {
    ...answered,
    cpuMicros: (cpuSeconds / seen.requests) * 1e6,
    wrkCores: wrkCpuSeconds / elapsed,
    othersCores: Math.max(0, others / elapsed),
  };
}

const [WARM_ANSWERS, WARM_ROUNDS] = [30_000, 6];

/** Before the first figure: until the server's code is compiled, which so many answers tell better than a time on a busy machine. */
export async function warmUp(program, how) {
  let answered = 0;
  for (let round = 0; round < WARM_ROUNDS && answered < WARM_ANSWERS; round++) answered += (await sample(program, how)).requests;
}
