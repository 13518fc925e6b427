import type { HostProcess } from './host-process';
import type { HostRequest } from './host-protocol';
import { PooledHost } from './pooled-host';

const MIB = 2 ** 20;
const limit = { milliseconds: 1000, error: () => new Error('late') };

describe(PooledHost.name, () => {
  let rssBytes = 100 * MIB;
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
    host = new PooledHost(process, true);
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

  it('retires where it takes much more memory than the models that are left in it', async () => {
    for (const name of ['a', 'b']) await host.load(file(name, 50 * MIB), limit);
    rssBytes = 480 * MIB; // 384 to spare and twice the 50 that are left
    await host.unload('a');
    expect([host.retiring, host.idle]).toEqual([false, true]);
    rssBytes = 390 * MIB;
    await host.unload('b');
    expect([host.retiring, host.idle]).toEqual([true, false]);
  });

  it('does not retire where nobody knows what its models need', async () => {
    for (const name of ['a', 'b']) await host.load(file(name), limit);
    rssBytes = 4096 * MIB;
    await host.unload('a');
    expect(host.retiring).toBe(false);
  });
});
