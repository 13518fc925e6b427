import { EngineHost } from './engine-host';
import type { HostMessage } from './host-protocol';

// the server decides when a host ends: a Ctrl-C reaches the whole process group
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
process.on('disconnect', () => process.exit(0));

const host = new EngineHost((reply) => process.send?.(reply));
process.on('message', (message) => host.receive(message as HostMessage));
