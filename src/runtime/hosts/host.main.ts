import { Socket } from 'node:net';
import { EngineHost } from './engine-host';
import { HostChannel } from './host-channel';
import { CHANNEL_FD, type HostMessage } from './host-protocol';

// the server decides when a host ends: a Ctrl-C reaches the whole process group
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});

const socket = new Socket({ fd: CHANNEL_FD });
socket.on('close', () => process.exit(0));
const host = new EngineHost((reply) => channel.send(reply));
const channel: HostChannel = new HostChannel(
  socket,
  (message) => host.receive(message as HostMessage),
  () => process.exit(1),
);
