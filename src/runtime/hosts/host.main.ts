import { writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { EngineHost } from './engine-host';
import { HostChannel } from './host-channel';
import { CHANNEL_FD, type HostMessage } from './host-protocol';

// the server decides when a host ends: a Ctrl-C reaches the whole process group
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});

// where memory runs out the kernel shall take a host, never the server; whoever may not say so is not Linux
try {
  writeFileSync('/proc/self/oom_score_adj', '500');
} catch {}

const socket = new Socket({ fd: CHANNEL_FD });
socket.on('close', () => process.exit(0));
const host = new EngineHost((reply) => channel.send(reply));
const channel: HostChannel = new HostChannel(
  socket,
  (message) => host.receive(message as HostMessage),
  () => process.exit(1),
);
