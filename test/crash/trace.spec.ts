import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkRegistry } from './registry-check';
import { describeTraced, Drivers } from './trace-driver';
import { ORDERED, proveOrder } from './trace-order';

const TRACE_MS = 60_000;

let drivers: Drivers;
beforeAll(() => void (drivers = new Drivers()));
afterAll(() => drivers.remove());

async function proofOf(root: string, steps: readonly string[], mutant?: string) {
  const { acks, errors, calls } = await drivers.traceWhole(root, steps, ORDERED, { mutant });
  expect(errors).toEqual([]);
  return { acks, ...(await proveOrder(root, calls)) };
}

describeTraced('an acknowledgement', () => {
  it(
    'follows the flushes of all that it names: bytes, then name, then folders, and the blob before the event',
    async () => {
      const root = drivers.freshRoot();
      const steps = ['publish:iris:one', 'publish:iris:largex20000:production', 'publish:mnist:one', 'promote:iris:1'];
      const { acks, proven, violations } = await proofOf(root, [...steps, 'orphan:lost', 'collect', 'publish:mnist:lost', 'checkpoint']);
      expect({ violations, proven }).toEqual({ violations: [], proven: 9 });
      expect(await checkRegistry(root, acks)).toEqual([]);
    },
    TRACE_MS,
  );

  it(
    'follows them also where another process has written the bytes, or where they were damaged',
    async () => {
      const root = drivers.freshRoot();
      const { acks } = await drivers.run(root, ['publish:iris:one', 'publish:iris:two']);
      const { blob } = acks[2] as unknown as { blob: string };
      const damaged = join(root, 'blobs', 'sha256', blob.slice(0, 2), blob);
      chmodSync(damaged, 0o644);
      writeFileSync(damaged, 'owt');
      const { proven, violations } = await proofOf(root, ['publish:mnist:one', 'publish:mnist:two', 'promote:mnist:1']);
      expect({ violations, proven }).toEqual({ violations: [], proven: 4 });
      expect(await checkRegistry(root, acks)).toEqual([]);
    },
    TRACE_MS,
  );

  it.failing(
    'follows a flush of the event where another process has written that, and perhaps not flushed it',
    async () => {
      const root = drivers.freshRoot();
      const steps = ['publish:iris:one', 'promote:iris:1'];
      await drivers.run(root, steps);
      const { proven, violations } = await proofOf(root, steps);
      expect({ violations, proven }).toEqual({ violations: [], proven: 3 });
    },
    TRACE_MS,
  );
});

describeTraced('the proof by traces', () => {
  it.each(['no-folder-fsync', 'no-file-fsync', 'event-before-blob', 'no-staging', 'unlink-before-event'])(
    'fails for the mutant %s',
    async (mutant) => {
      const steps = ['publish:iris:one', 'promote:iris:1', 'orphan:lost', 'collect'];
      const { acks, violations } = await proofOf(drivers.freshRoot(), steps, mutant);
      expect(acks).toHaveLength(steps.length + 1);
      expect(violations).not.toEqual([]);
    },
    TRACE_MS,
  );
});
