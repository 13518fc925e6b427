import type { RuntimeConfig } from '../config/app-config';
import { HostRuntime } from './host.runtime';
import { EngineSupervisor } from './hosts/engine-supervisor';
import { HostLauncher } from './hosts/host-launcher';
import type { HostProcess } from './hosts/host-process';
import { InlineEngine } from './inline/inline-engine';
import type { ModelRuntime } from './model-runtime.port';
import { PlacedRuntime } from './placed.runtime';

/** Engines apart from those that serve. */
export interface OpenedEngines {
  readonly runtime: ModelRuntime;
  /** Ends them, whatever they do. */
  close(): Promise<void>;
}

/** One at a time is enough for what nobody waits for. */
const HOSTS = 1;

/** Starts hosts that get what time others leave. */
class PatientLauncher extends HostLauncher {
  override launch(): HostProcess {
    const host = super.launch();
    host.yield();
    return host;
  }
}

/**
 * Engines for work that must not disturb what is served: a host of its own, of the least priority. What happens there to a model is not
 * held against it elsewhere, and a file is loaded though another host has one like it. Whoever opens them closes them.
 */
export function openEngines(config: RuntimeConfig, launcher: HostLauncher = new PatientLauncher(config)): OpenedEngines {
  const supervisor = new EngineSupervisor(config, launcher, undefined, HOSTS);
  const hosts = new HostRuntime(supervisor, launcher, config);
  return { runtime: new PlacedRuntime(hosts, new InlineEngine(config), config), close: () => supervisor.onApplicationShutdown() };
}
