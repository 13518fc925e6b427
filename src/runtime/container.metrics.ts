import { Injectable } from '@nestjs/common';
import { alone, Exposition } from '../metrics/exposition';
import { containerCpuCores } from './container-cpu';
import { containerMemoryBytes } from './container-memory';

/** Tells how much the server and its engine processes may take together: read at each scrape, as a limit may be moved under a process. */
@Injectable()
export class ContainerMetrics {
  constructor(exposition: Exposition) {
    const memory = 'Memory that the container may take, or all of the machine’s.';
    exposition.addGauge({ name: 'process_memory_limit_bytes', help: memory }, () => alone(containerMemoryBytes()));
    const cores = 'Processors whose time the container may take, or those that the process may run on.';
    exposition.addGauge({ name: 'process_cpu_limit_cores', help: cores }, () => alone(containerCpuCores()));
  }
}
