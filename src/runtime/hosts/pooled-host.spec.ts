import type { HostProcess } from './host-process';
import type { HostRequest } from './host-protocol';
import { PooledHost } from './pooled-host';

const MIB = 2 ** 20;
/** Its models may take 4 GiB: it has taken too much at 128 MiB and half of that. */
const ROOM_BYTES = 4096 * MIB;
const MOST_BYTES = (128 + 2048) * MIB;
const limit = { milliseconds: 1000, error: () => new Error('late') };

describe(PooledHost.name, () => {
  let rssBytes: number | undefined;
  let now = 0;
  let fails = false;
  const asked: HostRequest[] = [];
  const process = {
    running: true,
    ask: async (request: HostRequest) => {
      asked.push(request);
      if (fails) throw new Error('refused');
      return { rssBytes };
    },
  } as unknown as HostProcess;
  const file = (sha256: string, memoryBytes?: number) => ({
    path: `/${sha256}`,
    sha256,
    ...(memoryBytes !== undefined && { memoryBytes }),
  });

  let host: PooledHost;
  beforeEach(() => {
    jest.spyOn(performance, 'now').mockImplementation(() => now);
    now = 0;
    host = new PooledHost(process, true, ROOM_BYTES);
    [rssBytes, fails] = [100 * MIB, false];
    asked.length = 0;
  });

  it('has a model from the moment in which it begins to load it, unless that fails', async () => {
    const loading = host.load(file('a'), limit);
    expect([host.has('a'), host.loading]).toEqual([true, true]);
    await loading;
    expect([host.has('a'), host.loading, host.models]).toEqual([true, false, 1]);
    fails = true;
    await expect(host.load(file('b'), limit)).rejects.toThrow('refused');
    expect([host.has('b'), host.loading, host.models]).toEqual([false, false, 1]);
  });

  it('frees a model once', async () => {
    await host.load(file('a'), limit);
    await Promise.all([host.unload('a'), host.unload('a')]);
    expect(asked.filter((request) => request.do === 'unload')).toEqual([{ do: 'unload', sha256: 'a' }]);
  });

  it('has outgrown where it takes much more memory than the models that are left in it need', async () => {
    for (const name of ['a', 'b']) await host.load(file(name, 50 * MIB), limit);
    rssBytes = 480 * MIB; // 384 to spare and twice the 50 that are left
    await host.unload('a');
    expect(host.outgrown).toBe(false);
    rssBytes = 390 * MIB;
    await host.unload('b');
    expect([host.outgrown, host.idle]).toEqual([true, true]);
  });

  it('has not outgrown by what its models need where nobody knows that', async () => {
    for (const name of ['a', 'b']) await host.load(file(name), limit);
    rssBytes = 4096 * MIB;
    await host.unload('a');
    expect(host.outgrown).toBe(false);
  });

  describe('made to grow by runs', () => {
    /** A run after which it takes so many MiB. @returns whether it has outgrown */
    async function runTo(mebibytes: number | undefined): Promise<boolean> {
      rssBytes = mebibytes === undefined ? undefined : mebibytes * MIB;
      await host.run({ do: 'run', sha256: 'a', inputs: [], outputs: [] }, limit);
      return host.outgrown;
    }
    const loadTo = async (mebibytes: number, needs?: number): Promise<void> => {
      rssBytes = mebibytes * MIB;
      await host.load(file(String(needs), needs), limit);
    };

    it('has outgrown above what is reasonable for its models, from 10 s on', async () => {
      await loadTo(150, 50 * MIB);
      expect(await runTo(1000)).toBe(false); // it would be back there in no time
      now = 10_000;
      expect([await runTo(484), await runTo(485)]).toEqual([false, true]); // 384 to spare and twice the 50
    });

    it.each([
      ['at once', 0],
      ['later', 60_000],
    ])('has outgrown %s at half of what it may take, whatever its models need', async (_when, age) => {
      await loadTo(150);
      now = age;
      expect([await runTo(MOST_BYTES / MIB), await runTo(MOST_BYTES / MIB + 1)]).toEqual([false, true]);
    });

    it('has not outgrown by what its models took when they came: another one would begin with as much', async () => {
      now = 60_000;
      await loadTo(2500, 1 * MIB);
      expect([await runTo(2500 + 192), await runTo(2500 + 193)]).toEqual([false, true]);
    });

    it('is not forgiven what it grew where another model comes, or leaves', async () => {
      now = 60_000;
      await loadTo(2500, 1 * MIB);
      await runTo(2600);
      await loadTo(2610);
      expect([await runTo(2510 + 192), await runTo(2510 + 193)]).toEqual([false, true]);
    });

    it('is looked at again when it has grown as much again, where nobody could take over', async () => {
      now = 60_000;
      await loadTo(150, 50 * MIB);
      expect(await runTo(1000)).toBe(true);
      host.bear();
      expect([await runTo(1192), await runTo(1193)]).toEqual([false, true]);
    });

    it('is asked for nothing more where a run does not tell', async () => {
      await loadTo(150, 50 * MIB);
      now = 60_000;
      expect(await runTo(undefined)).toBe(false);
      expect(host.rssBytes).toBe(150 * MIB);
    });

    it('is full before its runs find no memory, and not much earlier', async () => {
      await runTo(128 + 3072);
      expect(host.full).toBe(false);
      await runTo(128 + 3073);
      expect(host.full).toBe(true);
    });
  });
});
