import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { FaultyRoom } from '../engine/faults';
import { RuntimeConfig } from '../../src/config/app-config';
import { HostRuntime } from '../../src/runtime/host.runtime';
import { EngineSupervisor } from '../../src/runtime/hosts/engine-supervisor';
import { HostLauncher } from '../../src/runtime/hosts/host-launcher';
import { linear } from '../onnx/models';
import { ModelFolder } from '../process/model-folder';
import { hostsOf, until } from '../process/processes';
import { type ServerProcess, Servers } from '../process/server-process';

jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});

const TIMES = 20;
const PRLIMIT = '/usr/bin/prlimit';
const [describeHere, note] = existsSync(PRLIMIT) ? [describe, ''] : [describe.skip, ' (SKIPPED: there is no prlimit)'];
const LIMIT = 64;
const NO_FAULT_OF_THE_CALLER = /^20[01]\b|^50[03] |^fetch failed$/;

interface Held {
  readonly descriptors: number;
  readonly resources: Readonly<Record<string, number>>;
}

/** What this process holds: descriptors, and what keeps its event loop alive. */
function held(): Held {
  const resources: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
  // what the test itself waits on comes and goes
  for (const name of ['Timeout', 'Immediate', 'CloseReq', 'FSReqPromise']) delete resources[name];
  return { descriptors: readdirSync('/proc/self/fd').length, resources };
}

/** What it holds when the processes that it has ended are gone. */
async function settled(): Promise<Held> {
  await until('no child is left', () => held().resources['ProcessWrap'] === undefined);
  await sleep(200);
  return held();
}

describe(`after ${TIMES} imports, ${TIMES} loads, faults and a shutdown`, () => {
  /** Everything that a server does with its engine hosts. */
  async function use(times: number): Promise<void> {
    const config = new RuntimeConfig();
    const launcher = new HostLauncher(config);
    const supervisor = new EngineSupervisor(config, launcher);
    const runtime = new HostRuntime(supervisor, launcher, config);
    const models = new ModelFolder();
    const room = new FaultyRoom();
    try {
      for (let time = 1; time <= times; time++) {
        const file = models.file(linear([[time]]));
        await runtime.import(file);
        await expect(runtime.import(models.file(Buffer.from(`no model ${time}`)))).rejects.toThrow('no model that can be served');
        await (await runtime.load(file)).unload();
      }
      for (const fault of ['segfault', 'hang', 'flood', 'garbage'] as const) await room.suffer(fault, 1);
    } finally {
      await supervisor.onApplicationShutdown();
      await room.remove();
      models.remove();
    }
  }

  it('the process holds what it held before', async () => {
    await use(1); // what is opened once stays
    const before = await settled();
    await use(TIMES);
    expect(hostsOf(process.pid)).toEqual([]);
    expect(await settled()).toEqual(before);
  }, 60_000);
});

describeHere(`a server that may open ${LIMIT} files${note}`, () => {
  const servers = new Servers();
  const sockets: Socket[] = [];
  let server: ServerProcess;
  beforeEach(async () => {
    server = await servers.start({ EXAMPLES: 'off', MODEL_ISOLATION: 'always', CACHE_TTL_SECONDS: '0' });
    for (let factor = 1; factor <= 3; factor++) await server.serve(`times-${factor}`, linear([[factor]]));
    execFileSync(PRLIMIT, ['--pid', String(server.pid), `--nofile=${LIMIT}`]);
  }, 30_000);
  afterEach(async () => {
    disconnect();
    await servers.remove();
  });

  const descriptors = (): number => readdirSync(`/proc/${server.pid}/fd`).length;
  const disconnect = (): void => sockets.splice(0).forEach((socket) => void socket.destroy());
  const connectOnce = (): void => void sockets.push(connect(Number(new URL(server.origin).port), '127.0.0.1').on('error', () => {}));
  const predict = (factor: number): Promise<string> => answerOf(server.predict(`times-${factor}`, { instances: [[7]] }));

  async function expectAtWork(): Promise<void> {
    disconnect();
    await until('it answers again', async () => (await answerOf(server.get('/health/live'))) === '200', 10_000);
    expect(server.running).toBe(true);
    await server.serve('afterwards', linear([[4]]));
    expect(await Promise.all([1, 2, 3].map(predict))).toEqual(['200', '200', '200']);
  }

  it('does not end under more connections than that, and works again when they are closed', async () => {
    for (let made = 0; made < 2 * LIMIT; made++) connectOnce();
    await until('it has no descriptor left', () => descriptors() >= LIMIT - 1);
    const answers = await Promise.all([1, 2, 3].map(predict));
    expect(answers.filter((answer) => !NO_FAULT_OF_THE_CALLER.test(answer))).toEqual([]);
    await expectAtWork();
  }, 60_000);

  it.each([2, 4, 6, 8, 12])(
    'blames neither caller nor model where %d descriptors are left for a new host',
    async (left) => {
      while (descriptors() < LIMIT - left) {
        const before = descriptors();
        connectOnce();
        await until('it has accepted', () => descriptors() > before);
      }
      for (const pid of hostsOf(server.pid)) process.kill(pid, 'SIGKILL');
      const answers = [
        await predict(1),
        await uploadTo(server, linear([[left]])),
        await predict(2),
        await uploadTo(server, linear([[-left]])),
      ];
      expect(answers.filter((answer) => !NO_FAULT_OF_THE_CALLER.test(answer))).toEqual([]);
      await expectAtWork();
    },
    60_000,
  );
});

/** @returns the status and the code, or why there is no answer */
async function answerOf(asked: Promise<{ readonly status: number; readonly body: { readonly code?: string } }>): Promise<string> {
  try {
    const { status, body } = await asked;
    return `${status} ${body.code ?? ''}`.trim();
  } catch (error) {
    return (error as Error).message;
  }
}

/** @returns as `answerOf` */
async function uploadTo(server: ServerProcess, model: Buffer): Promise<string> {
  try {
    await server.serve(`model-${model.length}-${model.at(-1)}`, model);
    return '201';
  } catch (error) {
    const { status, code } = JSON.parse((error as Error).message.replace(/^[^{]*/, '') || '{}') as Partial<Record<string, string>>;
    return status === undefined ? (error as Error).message : `${status} ${code}`;
  }
}
