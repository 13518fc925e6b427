import { Logger } from '@nestjs/common';
import type { ModelFile } from '../model-runtime.port';
import { EngineCrashed } from '../runtime.errors';
import type { RuntimeMetrics } from '../runtime.metrics';
import type { HostLauncher } from './host-launcher';
import { HostPool } from './host-pool';
import type { HostRequest } from './host-protocol';
import type { PooledHost } from './pooled-host';

const MIB = 2 ** 20;
const limit = { milliseconds: 1000, error: () => new Error('late') };
const fileOf = (sha256: string): ModelFile => ({ path: `/${sha256}`, sha256, memoryBytes: MIB });
const later = () => new Promise(setImmediate);

/** A host that only says that it did it. */
class PaperHost {
  running = true;
  rssBytes = 100 * MIB;
  readonly asked: string[] = [];
  /** What a request waits for; a rejection is its answer. */
  gate: Promise<void> = Promise.resolve();
  readonly ended: Promise<string>;
  private tellEnd: (how: string) => void = () => {};

  constructor() {
    this.ended = new Promise((resolve) => (this.tellEnd = resolve));
  }

  async ask(request: HostRequest): Promise<object> {
    this.asked.push(`${request.do} ${'sha256' in request ? request.sha256 : ''}`);
    await this.gate;
    if (!this.running) throw new EngineCrashed('it had ended before');
    return { rssBytes: this.rssBytes };
  }

  kill(): void {
    this.running = false;
    this.tellEnd('SIGKILL');
  }
}

describe(HostPool.name, () => {
  const counts = { hosts: 0, recycles: 0 };
  const metrics = {
    countHosts: (running: number) => (counts.hosts = running),
    countRecycle: () => counts.recycles++,
    countEnd: () => {},
  } as unknown as RuntimeMetrics;
  const log = jest.spyOn(Logger.prototype, 'log').mockImplementation(() => {});
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});

  let papers: PaperHost[];
  /** Of the next host that is launched. */
  let gate: Promise<void>;
  let pool: HostPool;
  let poolOf: (most: number) => HostPool;
  const changed = jest.fn();
  beforeEach(() => {
    papers = [];
    gate = Promise.resolve();
    const launch = () => {
      papers.push(Object.assign(new PaperHost(), { gate }));
      return papers.at(-1);
    };
    poolOf = (most) => new HostPool({ launch, roomBytes: 1024 * MIB } as unknown as HostLauncher, most, metrics, limit, changed);
    pool = poolOf(1);
    Object.assign(counts, { hosts: 0, recycles: 0 });
    for (const mock of [log, warn, changed]) mock.mockClear();
  });
  const paper = (at: number) => papers[at] as PaperHost;
  const hostFor = (sha256: string) => pool.hostFor(fileOf(sha256), performance.now()) as PooledHost;

  /** A host with models, of which each run tells how much it takes. */
  async function hostWith(...models: readonly string[]): Promise<PooledHost> {
    const host = hostFor('none');
    for (const model of models) await host.load(fileOf(model), limit);
    return host;
  }

  /** A run after which it takes so much, and what the supervisor does after it. */
  async function run(host: PooledHost, mebibytes: number): Promise<void> {
    host.busy = true;
    (host.process as unknown as PaperHost).rssBytes = mebibytes * MIB;
    await host.run({ do: 'run', sha256: 'a', inputs: [], outputs: [] }, limit);
    host.busy = false;
    pool.review(host);
  }

  it('keeps a host whose runs did not make it take too much', async () => {
    const host = await hostWith('a');
    await run(host, 600); // 128 and half of 1024 would be too much
    await later();
    expect([papers.length, host.retiring, counts]).toEqual([1, false, { hosts: 1, recycles: 0 }]);
  });

  it('loads the models of a host that takes too much into another one before it ends, and lets it work until then', async () => {
    const host = await hostWith('a', 'b');
    const loading = Promise.withResolvers<void>();
    gate = loading.promise;
    await run(host, 641);
    await run(host, 650); // not another one
    expect([papers.length, paper(0).running, hostFor('a'), counts.recycles]).toEqual([2, true, host, 0]);
    loading.resolve();
    await later();
    expect(paper(1).asked).toEqual(['load a', 'load b']);
    expect([paper(0).running, paper(1).running, counts]).toEqual([false, true, { hosts: 1, recycles: 1 }]);
    expect(hostFor('a').process).toBe(paper(1));
    expect(changed).toHaveBeenCalledTimes(1);
    expect(log.mock.calls).toEqual([['engine host recycled', { rssBytes: 650 * MIB, models: 2 }]]);
  });

  it('lets a call be answered that runs when the other one takes over, and gives the old one no more', async () => {
    const host = await hostWith('a');
    await run(host, 641);
    const answer = Promise.withResolvers<void>();
    paper(0).gate = answer.promise;
    const running = run(host, 641);
    await later();
    expect([host.retiring, paper(0).running, hostFor('a').process === (paper(1) as unknown)]).toEqual([true, true, true]);
    answer.resolve();
    await running;
    expect([paper(0).running, counts]).toEqual([false, { hosts: 1, recycles: 1 }]);
  });

  it('takes over what came meanwhile and nothing that left', async () => {
    const host = await hostWith('a', 'b');
    const loading = Promise.withResolvers<void>();
    gate = loading.promise;
    await run(host, 641);
    await host.load(fileOf('c'), limit);
    const leaving = pool.unload('b');
    loading.resolve();
    await leaving;
    await later();
    expect(paper(1).asked).toEqual(['load a', 'load c']);
    expect(paper(0).running).toBe(false);
  });

  it('keeps the old one where no other can load its models, and says so', async () => {
    const host = await hostWith('a');
    gate = Promise.reject(new Error('damaged'));
    await run(host, 641);
    await later();
    expect([paper(0).running, paper(1).running, host.retiring, counts]).toEqual([true, false, false, { hosts: 1, recycles: 0 }]);
    expect(warn.mock.calls).toEqual([['engine host not replaced', { err: new Error('damaged') }]]);
    gate = Promise.resolve();
    await run(host, 700);
    expect(papers).toHaveLength(2);
    await run(host, 850); // as much again
    await later();
    expect([paper(0).running, paper(2).running, counts.recycles]).toEqual([false, true, 1]);
  });

  it('ends a host at once whose next run may find no memory, and one without models', async () => {
    const host = await hostWith('a');
    await run(host, 900); // 128 and three quarters of 1024 are 896
    expect([papers.length, paper(0).running, counts.recycles]).toEqual([1, false, 1]);
    const other = await hostWith('a');
    paper(1).rssBytes = 500 * MIB;
    await pool.unload('a');
    expect([papers.length, other.retiring, paper(1).running, counts.recycles]).toEqual([2, true, false, 2]);
  });

  describe('beside a model whose runs overrun', () => {
    const LONG_AGO = Number.NEGATIVE_INFINITY;
    const workFor = (model: string): PooledHost | undefined => {
      const host = pool.hostFor(fileOf(model), LONG_AGO);
      if (host !== undefined) Object.assign(host, { busy: true, worksFor: model });
      return host;
    };
    const end = (host: PooledHost): void => {
      host.busy = false;
      if (host.overrun) pool.overrun(host, false);
      pool.review(host);
    };
    beforeEach(() => {
      jest.useFakeTimers({ doNotFake: ['setImmediate', 'queueMicrotask', 'nextTick'] });
      pool = poolOf(2);
    });
    afterEach(() => jest.useRealTimers());

    it('gives the spares to the others, and never so many hosts to it that there is none for them', () => {
      const slow = [workFor('slow'), workFor('slow')] as [PooledHost, PooledHost];
      expect([workFor('slow'), workFor('quick')]).toEqual([undefined, undefined]);
      for (const host of slow) pool.overrun(host, true);
      expect(changed).toHaveBeenCalledTimes(2);
      expect(workFor('slow')).toBeUndefined();
      const others = [workFor('quick'), workFor('quick')];
      expect([others.includes(undefined), papers.length, workFor('quick'), workFor('third')]).toEqual([false, 4, undefined, undefined]);
      end(slow[0]);
      expect(workFor('slow')).toBe(slow[0]);
      expect(workFor('slow')).toBeUndefined();
    });

    it('keeps the spares as long as it goes on, so that nobody waits until another one has started', () => {
      const slow = [workFor('slow'), workFor('slow')] as [PooledHost, PooledHost];
      for (const host of slow) pool.overrun(host, true);
      const spare = workFor('quick') as PooledHost;
      for (const host of [...slow, spare]) end(host);
      for (let turn = 0; turn < 10; turn++) {
        jest.advanceTimersByTime(1900);
        const host = workFor('slow') as PooledHost;
        pool.overrun(host, true);
        end(host);
      }
      expect([papers.length, counts.hosts]).toEqual([3, 3]);
      jest.advanceTimersByTime(1999);
      expect(counts.hosts).toBe(3);
      jest.advanceTimersByTime(1);
      expect([counts.hosts, paper(2).running]).toEqual([2, false]);
    });

    it('ends a spare that is at work when its time has come as soon as it is free', () => {
      const slow = workFor('slow') as PooledHost;
      const other = workFor('quick') as PooledHost;
      pool.overrun(slow, true);
      const third = workFor('third') as PooledHost;
      end(slow);
      workFor('slow');
      jest.advanceTimersByTime(2000);
      expect(counts.hosts).toBe(3);
      end(other);
      expect(counts.hosts).toBe(2);
      end(third);
      expect(counts.hosts).toBe(2);
    });

    it('keeps no timer when all have ended', async () => {
      const [slow, other] = [workFor('slow'), workFor('quick')] as [PooledHost, PooledHost];
      pool.overrun(slow, true);
      workFor('third');
      for (const host of [slow, other]) end(host);
      await pool.endAll();
      expect(jest.getTimerCount()).toBe(0);
    });
  });

  it('ends the one that would take over too, where all are ended', async () => {
    const host = await hostWith('a');
    const loading = Promise.withResolvers<void>();
    gate = loading.promise;
    await run(host, 641);
    await pool.endAll();
    loading.resolve();
    await later();
    expect(papers.map(({ running }) => running)).toEqual([false, false]);
    expect([counts, warn.mock.calls]).toEqual([{ hosts: 0, recycles: 0 }, []]);
  });
});
