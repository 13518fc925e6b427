import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { type Fault, FAULTS, FaultyRoom } from '../engine/faults';

/** How long a model that did harm may be away, ms. */
const READY_MS = 2000;

/** What a model does, and how its call is answered. */
const EXPECTED: Readonly<Record<Fault, readonly [what: string, answer: string]>> = {
  segfault: ['ends its engine process by a segmentation fault', '503 ENGINE_CRASHED'],
  abort: ['aborts its engine process, as a failed assertion in the library does', '503 ENGINE_CRASHED'],
  exit: ['ends its engine process by an exit', '503 ENGINE_CRASHED'],
  memory: ['asks for memory until `HOST_MEMORY_MB` is used up', '422 INFERENCE_FAILED'],
  hang: ['never comes back', '504 ENGINE_DEADLINE_EXCEEDED'],
  flood: ['writes 32 MiB to standard output and standard error', '200'],
  garbage: ['writes 1 MiB of garbage to the channel over which it is asked', '503 ENGINE_CRASHED'],
};

/** The rows of the table in `docs/MODELS.md`: fault, what the model does, what the call gets, errors of other models, time to the next answer. */
export function faultRows(): readonly string[] {
  return Object.entries(EXPECTED).map(
    ([fault, [what, answer]]) => `| \`${fault}\` | ${what} | \`${answer}\` | 0 | ≤ ${READY_MS / 1000} s |`,
  );
}

/** The rows of that table that `docs/MODELS.md` has. */
export function documentedRows(): readonly string[] {
  const markdown = readFileSync(join(__dirname, '../../docs/MODELS.md'), 'utf8');
  return [...markdown.matchAll(/^\| `[a-z]+` \| [^|]+ \| `\d{3}[ A-Z_]*` \| \d+ \| ≤ \d+ s \|$/gm)].map(([row]) => row);
}

/** Has models harm their engine host in every way that there is. @param times how often in each */
export function describeFaults(times: number): void {
  jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});

  describe(`a model that harms its engine host, ${times} times in each way`, () => {
    const room = new FaultyRoom();
    afterAll(() => room.remove());

    it.each(Object.keys(FAULTS) as readonly Fault[])(
      `%s: its call is answered as documented, no other model notices, and the model itself answers again within ${READY_MS / 1000} s`,
      async (fault) => {
        const report = await room.suffer(fault, times);
        expect(report).toMatchObject({ answers: [EXPECTED[fault][1]], othersFailed: 0 });
        expect(report.others).toBeGreaterThan(times);
        expect(report.readyMs).toBeLessThan(READY_MS);
      },
      20_000 + times * 4000,
    );
  });
}
