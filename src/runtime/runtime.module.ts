import { Module } from '@nestjs/common';
import { EngineSupervisor } from './engine-supervisor';
import { HostRuntime } from './host.runtime';
import { ModelRuntime } from './model-runtime.port';

@Module({ providers: [EngineSupervisor, { provide: ModelRuntime, useClass: HostRuntime }], exports: [ModelRuntime] })
export class RuntimeModule {}
