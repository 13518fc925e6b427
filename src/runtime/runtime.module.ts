import { Module } from '@nestjs/common';
import { ContainerMetrics } from './container.metrics';
import { HostRuntime } from './host.runtime';
import { EngineSupervisor } from './hosts/engine-supervisor';
import { HostMetrics } from './hosts/host.metrics';
import { HostLauncher } from './hosts/host-launcher';
import { InlineEngine } from './inline/inline-engine';
import { ModelRuntime } from './model-runtime.port';
import { PlacedRuntime } from './placed.runtime';
import { RUNTIME_METRICS, RuntimeMetrics } from './runtime.metrics';

@Module({
  providers: [
    ...RUNTIME_METRICS,
    RuntimeMetrics,
    ContainerMetrics,
    HostLauncher,
    EngineSupervisor,
    HostMetrics,
    HostRuntime,
    InlineEngine,
    { provide: ModelRuntime, useClass: PlacedRuntime },
  ],
  exports: [ModelRuntime],
})
export class RuntimeModule {}
