import type { Reply } from './open-loop';
import { FIRST_SEED } from './registry-model-suite';
import { type ServerProcess, Servers } from './server-process';
import { counted, percentile, storm, swapUnderLoad } from './swaps-suite';

const MINUTE_MS = 60_000;

/** How much is asked for. */
export interface Amount {
  readonly answers: number;
  readonly swaps: number;
  readonly minutes: number;
}

/** CS-11, RS-31, RS-32: what callers are answered while everything changes. */
export const describeSwaps = ({ answers, swaps: count, minutes }: Amount) =>
  describe('a server at 500 predictions a second', () => {
    const servers = new Servers();
    const start = (isolation: 'auto' | 'always'): Promise<ServerProcess> =>
      servers.start({ EXAMPLES: 'off', LOG_LEVEL: 'warn', MODEL_ISOLATION: isolation });
    afterEach(() => servers.remove());

    it(`answers every one through ${count} promotions and rollbacks, from a version in production`, async () => {
    const { calm, swaps, replies, failures, wrong, stale, leftBytes } = await swapUnderLoad(await start('auto'), count, answers);
    const took = swaps.slice(1).map(({ startedAt, endedAt }) => endedAt - startedAt);
    const [before, during] = [calm, replies].map((each) => each.map(({ sentAt, endedAt }) => endedAt - sentAt)) as [number[], number[]];
    console.log(`swaps ${told(took)}; answers ${told(during)}, without swaps ${told(before)}`);
    expect(counted(replies.map(({ status }) => status))).toEqual({ 200: replies.length });
    expect({ failures, wrong, stale, leftBytes }).toEqual({ failures: [], wrong: [], stale: [], leftBytes: 0 });
    expect(replies.length).toBeGreaterThanOrEqual(answers);
    expect(percentile(took, 0.5)).toBeLessThan(1000);
  }, minutes * MINUTE_MS); // prettier-ignore

    it(`answers right or not at all while everything changes and engine hosts are killed, SEED=${FIRST_SEED}`, async () => {
    const { replies, failures, wrong, kills, changes } = await storm(await start('always'), answers, FIRST_SEED);
    const byVersion = ({ x }: Reply) => x % 5 === 0;
    const statuses = counted(replies.map(({ status, code }) => `${status} ${status === 200 ? '' : String(code)}`));
    console.log(statuses, changes, { kills });
    expect({ failures, wrong }).toEqual({ failures: [], wrong: [] });
    // killed twice at the same call, or asked for a version that was deleted by then
    const unforeseen = replies.filter((reply) => ![200, 503, 504, ...(byVersion(reply) ? [404] : [])].includes(reply.status));
    expect(unforeseen).toEqual([]);
    expect(kills).toBeGreaterThan(10);
  }, minutes * MINUTE_MS); // prettier-ignore
  });

function told(values: readonly number[]): string {
  return `p50 / p99 / max ${[0.5, 0.99, 1].map((share) => percentile(values, share).toFixed(1)).join(' / ')} ms`;
}
