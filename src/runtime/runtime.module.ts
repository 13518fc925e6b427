import { Module } from '@nestjs/common';
import { HostRuntime } from './host.runtime';
import { EngineSupervisor } from './hosts/engine-supervisor';
import { HostLauncher } from './hosts/host-launcher';
import { ModelRuntime } from './model-runtime.port';
import { RUNTIME_METRICS, RuntimeMetrics } from './runtime.metrics';

@Module({
  providers: [...RUNTIME_METRICS, RuntimeMetrics, HostLauncher, EngineSupervisor, { provide: ModelRuntime, useClass: HostRuntime }],
  exports: [ModelRuntime],
})
export class RuntimeModule {}
