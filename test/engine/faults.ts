import { join } from 'node:path';
import { RuntimeConfig } from '../../src/config/app-config';
import type { AppError } from '../../src/errors/app-error';
import { HostRuntime } from '../../src/runtime/host.runtime';
import { EngineSupervisor } from '../../src/runtime/hosts/engine-supervisor';
import { HostLauncher } from '../../src/runtime/hosts/host-launcher';
import { HostProcess } from '../../src/runtime/hosts/host-process';
import type { LoadedModel } from '../../src/runtime/model-runtime.port';
import { STATUS } from '../../src/http/problem';
import { linear } from '../onnx/models';
import { callWith, ModelFolder } from '../process/model-folder';

/** A host that can be made to fail. */
export const FAULTY_HOST = join(__dirname, 'faulty-host.cjs');
/** What a host may take here: enough for Node and the engine, soon used up. */
const HOST_MEMORY_MB = 900;
/** To fill the memory takes a while on a busy machine. */
const DEADLINE_MS = 10_000;
const HANG_DEADLINE_MS = 400;

/** What a model can do to its host, by the number that makes it do so (`faulty-host.cjs`). */
export const FAULTS = {
  segfault: 1001,
  abort: 1002,
  exit: 1003,
  memory: 1004,
  hang: 1005,
  flood: 1006,
  garbage: 1007,
} as const;

/** The name of a fault. */
export type Fault = keyof typeof FAULTS;

/** What became of a fault, over all times. */
export interface FaultReport {
  readonly fault: Fault;
  /** How the calls that did the harm were answered, each kind once: `200`, `503 ENGINE_CRASHED` … */
  readonly answers: readonly string[];
  /** Calls of another model during the faults, and those of them that were not answered rightly. */
  readonly others: number;
  readonly othersFailed: number;
  /** The longest time from the answer of a harmful call until the same model answered another call, ms. */
  readonly readyMs: number;
}

class FaultyLauncher extends HostLauncher {
  override launch(): HostProcess {
    return new HostProcess(FAULTY_HOST, HOST_MEMORY_MB);
  }
}

/** An engine room whose hosts can be made to fail. */
export class FaultyRoom {
  private readonly models = new ModelFolder();
  private readonly config = Object.assign(new RuntimeConfig(), { importDeadlineSeconds: 10 });
  private readonly launcher = new FaultyLauncher(this.config);
  private readonly supervisor = new EngineSupervisor(this.config, this.launcher);
  private readonly runtime = new HostRuntime(this.supervisor, this.launcher, this.config);
  private loaded = 0;

  /** A model of its own each time: what one does is not held against the next. */
  load(factor: number = 1 + ++this.loaded / 1024): Promise<LoadedModel> {
    return this.runtime.load(this.models.file(linear([[factor]])));
  }

  /** Does harm that often while another model, in the same hosts, is called without a pause. */
  async suffer(fault: Fault, times: number): Promise<FaultReport> {
    const innocent = await this.load(2);
    const answers = new Set<string>();
    let readyMs = 0;
    let going = true;
    let others = 0;
    let othersFailed = 0;
    const calling = (async () => {
      while (going) {
        others++;
        if (!(await answersRightly(innocent, 21, 42))) othersFailed++;
      }
    })();
    for (let time = 0; time < times; time++) {
      const harmful = await this.load();
      answers.add(await answerTo(harmful, FAULTS[fault], fault === 'hang' ? HANG_DEADLINE_MS : DEADLINE_MS));
      const answeredAt = performance.now();
      await harmful.run(callWith(1));
      readyMs = Math.max(readyMs, performance.now() - answeredAt);
      await harmful.unload();
    }
    going = false;
    await calling;
    return { fault, answers: [...answers].sort(), others, othersFailed, readyMs };
  }

  async remove(): Promise<void> {
    await this.supervisor.onApplicationShutdown();
    this.models.remove();
  }
}

async function answersRightly(model: LoadedModel, x: number, y: number): Promise<boolean> {
  try {
    const { outputs } = await model.run(callWith(x));
    return outputs[0]?.data[0] === y;
  } catch {
    return false;
  }
}

/** As the server would answer: the status, and the code of the error. */
async function answerTo(model: LoadedModel, x: number, engineDeadlineMs: number): Promise<string> {
  try {
    await model.run(callWith(x, { engineDeadlineMs }));
    return '200';
  } catch (error) {
    const { kind, code } = error as AppError;
    return `${STATUS[kind]} ${code}`;
  }
}
