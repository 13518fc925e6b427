import { Injectable } from '@nestjs/common';
import { RuntimeConfig } from '../config/app-config';
import { EngineSupervisor } from './hosts/engine-supervisor';
import { HostLauncher } from './hosts/host-launcher';
import type { TimeLimit } from './hosts/host-process';
import { sourceOf } from './hosts/host-protocol';
import type { ImportReport, LoadedModel, ModelFile, Trial } from './model-runtime.port';
import { EngineCrashed, ImportDeadlineExceeded, InferenceFailed, ModelRefused } from './runtime.errors';
import type { Signature, Tensor } from './tensor';

/** Engines in child processes: imports in a process each, everything else under the supervisor. */
@Injectable()
export class HostRuntime {
  private readonly users = new Map<string, number>();

  constructor(
    private readonly supervisor: EngineSupervisor,
    private readonly launcher: HostLauncher,
    private readonly config: RuntimeConfig,
  ) {}

  /** @throws as ModelRuntime.import */
  async import(file: ModelFile, trials: (signature: Signature) => readonly Trial[] = () => []): Promise<ImportReport> {
    const seconds = this.config.importDeadlineSeconds;
    const deadline = performance.now() + seconds * 1000;
    const limit = (): TimeLimit => ({ milliseconds: deadline - performance.now(), error: () => new ImportDeadlineExceeded(seconds) });
    const host = this.launcher.launch();
    try {
      const report = await host.ask({ do: 'import', ...sourceOf(file) }, limit());
      const outputs = report.signature.outputs.map(({ name }) => name);
      const answers: (readonly Tensor[] | { readonly reason: string })[] = [];
      for (const inputs of trials(report.signature)) {
        const answer = await host.ask({ do: 'run', sha256: file.sha256, inputs, outputs }, limit()).catch(failure);
        answers.push(answer instanceof InferenceFailed ? { reason: answer.reason } : answer.outputs);
      }
      return { ...report, trials: answers };
    } catch (error) {
      throw error instanceof EngineCrashed ? new ModelRefused(`it brings the engine down (${error.how})`) : error;
    } finally {
      host.kill();
    }
  }

  /** @throws as ModelRuntime.load */
  async load(file: ModelFile): Promise<LoadedModel> {
    this.enter(file);
    try {
      await this.supervisor.load(file);
    } catch (error) {
      await this.leave(file);
      throw error;
    }
    return this.loaded(file, true);
  }

  /** A model that its first run loads. */
  loadedLater(file: ModelFile): LoadedModel {
    return this.loaded(file, false);
  }

  private loaded(file: ModelFile, now: boolean): LoadedModel {
    let held = now;
    return {
      run: (next) => {
        held ||= this.enter(file); // a run before the load, or after the unload, loads it
        return this.supervisor.run(file, next);
      },
      unload: async () => {
        if (!held) return;
        held = false;
        await this.leave(file);
      },
    };
  }

  private enter({ sha256 }: ModelFile): true {
    this.users.set(sha256, (this.users.get(sha256) ?? 0) + 1);
    return true;
  }

  /** Versions that differ in their metadata only share one file, and one session in the host. */
  private async leave(file: ModelFile): Promise<void> {
    const left = (this.users.get(file.sha256) ?? 1) - 1;
    this.users.set(file.sha256, left);
    if (left > 0) return;
    this.users.delete(file.sha256);
    await this.supervisor.unload(file);
  }
}

/** That a model fails on an input is an answer, here; @throws everything else */
function failure(error: unknown): InferenceFailed {
  if (error instanceof InferenceFailed) return error;
  throw error;
}
