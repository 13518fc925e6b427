import { linear } from '../onnx/models';
import { Servers } from '../process/server-process';
import { bodyOf, Caller, predictionOf } from '../scheduling/caller';

const CALLS = 100_000;
const AT_ONCE = 200;
const MINUTE_MS = 60_000;

const idOf = (nonce: number): string => `nonce-${String(nonce).padStart(8, '0')}`;

const servers = new Servers();
afterEach(() => servers.remove());

describe('answers of batches', () => {
  it.each(['auto', 'always'])(
    'are each caller’s own, 100,000 times (MODEL_ISOLATION=%s)',
    async (isolation) => {
      const server = await servers.start({
        EXAMPLES: 'off',
        DRAIN_SECONDS: '0',
        LOG_LEVEL: 'warn',
        MODEL_ISOLATION: isolation,
        CACHE_TTL_SECONDS: '0',
      });
      await server.serve('line', linear([[2]], [1]));
      const callers = [1, 2, 3].map((last) => new Caller(server.origin, {}, `127.0.0.${last}`));
      let next = 0;
      let wrong = 0;
      const statuses = new Map<number, number>();

      /** No two calls in flight have the same nonce; FP32 holds all that is made of it. */
      const askOn = async (caller: Caller): Promise<void> => {
        while (next < CALLS) {
          const nonce = next++;
          const reply = await caller.predict('line', [nonce], { 'X-Correlation-Id': idOf(nonce) });
          statuses.set(reply.status, (statuses.get(reply.status) ?? 0) + 1);
          const own = predictionOf(reply) === 2 * nonce + 1 && reply.headers['x-correlation-id'] === idOf(nonce);
          if (!own) wrong++;
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, (_, at) => askOn(callers[at % callers.length] as Caller)));

      const [caller] = callers as [Caller];
      const { model_stats } = bodyOf(await caller.ask('/v2/models/line/stats'));
      for (const each of callers) each.hangUp();
      expect(wrong).toBe(0);
      expect([...statuses]).toEqual([[200, CALLS]]);
      expect(model_stats[0].inference_count).toBe(CALLS);
      expect(model_stats[0].execution_count).toBeLessThan(CALLS / 2); // else nothing could have been swapped
    },
    10 * MINUTE_MS,
  );
});
