import { join } from 'node:path';
import { endlessLoop } from '../../../test/onnx/models';
import { column, ModelFolder } from '../../../test/process/model-folder';
import { endOwnHosts, hostsOf, ticksOf, until } from '../../../test/process/processes';
import { HostProcess, hostPids } from './host-process';
import { HostsCpu } from './hosts-cpu';

const ENTRY = join(__dirname, '../../../dist/runtime/hosts/host.main.js');

describe(HostsCpu, () => {
  const models = new ModelFolder();
  const limit = { milliseconds: 30_000, error: () => new Error('late') };
  afterAll(endOwnHosts);
  afterAll(() => models.remove());

  /** A host that computes until it is killed. */
  async function busy(): Promise<HostProcess> {
    const host = new HostProcess(ENTRY, 4096);
    const file = models.file(endlessLoop());
    await host.ask({ do: 'load', ...file }, limit);
    host.ask({ do: 'run', sha256: file.sha256, inputs: [column('x', 1)], outputs: ['y'] }, limit).catch(() => {});
    return host;
  }
  const ticks = (): number => hostsOf(process.pid).reduce((sum, pid) => sum + ticksOf(pid), 0);

  it('tells what hosts compute while they do, keeps it when they have ended, and never falls', async () => {
    const cpu = new HostsCpu();
    const before = cpu.seconds()!;
    const hosts = [await busy(), await busy()];
    expect([...hostPids()].sort()).toEqual([...hostsOf(process.pid)].sort());
    await until('they compute', () => ticks() > 60, 30_000);
    const least = ticks() / 100;
    const told = [cpu.seconds()!];
    expect(told[0]! - before).toBeGreaterThanOrEqual(least - 0.03); // each account is rounded down
    for (const host of hosts) {
      host.kill();
      await until('it has ended', () => {
        told.push(cpu.seconds()!);
        return !host.running;
      });
      told.push(cpu.seconds()!);
    }
    expect(told).toEqual(told.toSorted((a, b) => a - b));
    expect([...hostPids()]).toEqual([]);
    expect(new HostsCpu().seconds()! - before).toBeGreaterThanOrEqual(least - 0.03); // who looks for the first time hears of all
  }, 60_000);
});
