// A real Redis on a free port of loopback that writes nothing to disk.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createClient } from 'redis';
import { Program } from '../serving/program.mjs';

const run = promisify(execFile);

/** @returns undefined where there is none */
export async function redisVersion() {
  const said = await run('redis-server', ['-v']).catch(() => undefined);
  return /v=(\S+)/.exec(said?.stdout)?.[1];
}

const urlOf = ({ origin }) => origin.replace('http:', 'redis:');

async function ask(url, what) {
  const client = createClient({ url, socket: { reconnectStrategy: false } });
  client.on('error', () => {}); // `connect` says it
  await client.connect();
  try {
    return await what(client);
  } finally {
    await client.disconnect();
  }
}

/** @returns the program, and its address for a client */
export async function startRedis({ name, folder }) {
  if ((await redisVersion()) === undefined) throw new Error('no redis-server: apt-get install redis-server');
  const args = (port) => ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--appendonly', 'no', '--dir', folder];
  const command = (port) => ({ file: 'redis-server', args: args(port) });
  const program = await Program.start({ command, log: join(folder, `${name}.log`) });
  await program.ready(async (origin) => {
    await ask(urlOf({ origin }), (client) => client.ping());
    return { status: 200 };
  });
  return { program, url: urlOf(program) };
}

/** How often a key was asked for that it did not have. */
export async function missesIn(url) {
  const stats = await ask(url, (client) => client.info('stats'));
  return Number(/^keyspace_misses:(\d+)/m.exec(stats)[1]);
}

/** A server and the Redis that it asks: what they use is the server's. */
export const withRedis = (server, redis) => ({
  origin: server.origin,
  forgetLog: () => server.forgetLog(),
  get cpuSeconds() {
    return server.cpuSeconds + redis.program.cpuSeconds;
  },
});
