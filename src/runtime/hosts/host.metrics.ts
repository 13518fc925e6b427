import { Injectable } from '@nestjs/common';
import { alone, Exposition } from '../../metrics/exposition';
import { EngineSupervisor } from './engine-supervisor';
import { HostsCpu } from './hosts-cpu';

/** What Prometheus is told of the engine processes: the supervisor keeps plain numbers. */
@Injectable()
export class HostMetrics {
  constructor(exposition: Exposition, supervisor: EngineSupervisor) {
    const counter = (name: string, help: string, read: () => number): void => exposition.addCounter({ name, help }, () => alone(read()));
    const gauge = (name: string, help: string, read: () => number): void => exposition.addGauge({ name, help }, () => alone(read()));
    const resident = 'Resident memory of all engine processes, as they told last.';
    gauge('engine_hosts_resident_memory_bytes', resident, () => supervisor.figures.rssBytes);
    const cpu = new HostsCpu();
    const computed = 'Seconds of CPU of all engine processes, ended ones included.';
    exposition.addCounter({ name: 'engine_hosts_cpu_seconds_total', help: computed }, () => {
      const seconds = cpu.seconds();
      return seconds === undefined ? [] : alone(seconds);
    });
    counter('engine_host_starts_total', 'Engine processes that were started.', () => supervisor.figures.starts);
    counter('engine_host_kills_total', 'Engine processes that were killed as something took too long.', () => supervisor.figures.kills);
    counter('engine_quarantines_total', 'How often a model was locked up.', () => supervisor.figures.quarantines);
    gauge('engine_quarantined_models', 'Models that are locked up now.', () => supervisor.figures.quarantined);
  }
}
