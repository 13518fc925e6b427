import { setTimeout as sleep } from 'node:timers/promises';
import { RuntimeConfig } from '../../src/config/app-config';
import { EngineSupervisor } from '../../src/runtime/hosts/engine-supervisor';
import { HostLauncher } from '../../src/runtime/hosts/host-launcher';
import { HostProcess } from '../../src/runtime/hosts/host-process';
import type { RuntimeMetrics } from '../../src/runtime/runtime.metrics';
import { linear, slowLoop } from '../onnx/models';
import { callWith, ModelFolder } from '../process/model-folder';
import { hostsOf, residentMiB } from '../process/processes';
import { FAULTY_HOST } from './faults';

/** What the models of a host may take here, and Node's own reservations, 2^20 bytes. */
const ROOM_MB = 640;
const PROCESS_MB = 640;
/** Each run of a number above 2000 keeps a mebibyte (`faulty-host.cjs`). */
const GROWING = 2001;
/** A pace at which a host takes seconds to grow out of its room. */
const PAUSE_MS = 4;

class GrowingLauncher extends HostLauncher {
  override launch(): HostProcess {
    return new HostProcess(FAULTY_HOST, ROOM_MB + PROCESS_MB);
  }
}

/** What came of the calls of models that make their hosts grow. */
export interface Growth {
  readonly calls: number;
  readonly failed: readonly unknown[];
  readonly recycles: number;
  readonly retries: number;
  readonly ends: number;
  /** The most that all hosts took together, 2^20 bytes. */
  readonly mostMiB: number;
}

/** Calls a model that makes its host grow, and one that takes its time, until hosts have been recycled so often. */
export async function growUntil(recycles: number): Promise<Growth> {
  const counts = { recycles: 0, retries: 0, ends: 0 };
  const metrics = {
    countHosts: () => {},
    countRecycle: () => counts.recycles++,
    countRetry: () => counts.retries++,
    countEnd: () => counts.ends++,
  } as unknown as RuntimeMetrics;
  const config = Object.assign(new RuntimeConfig(), { importDeadlineSeconds: 10, hostMemoryMb: ROOM_MB });
  const supervisor = new EngineSupervisor(config, new GrowingLauncher(config), metrics, 1);
  const models = new ModelFolder();
  const growing = models.file(linear([[2]]));
  const slow = { ...models.file(slowLoop(100_000)), usualMs: 1000 }; // some 50 ms
  const failed: unknown[] = [];
  let [calls, mostMiB] = [0, 0];
  const lane = async (file: typeof growing, x: number, y: number, pauseMs: number): Promise<void> => {
    while (counts.recycles < recycles && failed.length < 10) {
      const answer = await supervisor.run(file, callWith(x)).then(({ outputs }) => outputs[0]?.data[0], String);
      calls++;
      if (answer !== y) failed.push(answer);
      await sleep(pauseMs);
    }
  };
  const weighing = setInterval(() => {
    mostMiB = Math.max(mostMiB, hostsOf(process.pid).reduce((sum, pid) => sum + residentMiB(pid), 0)); // prettier-ignore
  }, 50);
  try {
    await Promise.all([lane(growing, GROWING, 2 * GROWING, PAUSE_MS), lane(slow, 1, 1, 200)]);
  } finally {
    clearInterval(weighing);
    await supervisor.onApplicationShutdown();
    models.remove();
  }
  return { calls, failed, mostMiB: Math.round(mostMiB), ...counts };
}
