import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { RuntimeConfig } from '../../src/config/app-config';
import { HostRuntime } from '../../src/runtime/host.runtime';
import { EngineSupervisor } from '../../src/runtime/hosts/engine-supervisor';
import { HostLauncher } from '../../src/runtime/hosts/host-launcher';
import { padded } from '../onnx/models';
import { ModelFolder } from '../process/model-folder';
import { hostsOf, residentMiB } from '../process/processes';
import { type ServerProcess, Servers } from '../process/server-process';
import { describeLimited, MemoryGroup } from './memory-group';

const MIB = 2 ** 20;
const LIMIT_BYTES = 512 * MIB;
const MODELS = 20;
/** So many that not all of them fit into the container. */
const MODEL_BYTES = 16 * MIB;
/** A warm-up, after which the allocators have what they keep. */
const FIRST_CYCLES = 10;
const MAX_GROWTH = 1.1;
const CONTAINER_MEMORY = `require(${JSON.stringify(join(__dirname, '../../dist/runtime/container-memory.js'))}).containerMemoryBytes()`;

/** Models of their own: equal ones would share their memory. */
const modelOf = (index: number): Buffer => padded(MODEL_BYTES + 4 * index);

/** Holds the server to its budget. @param seconds how long it is called @param cycles how often a model is loaded and unloaded */
export function describeMemory(seconds: number, cycles: number): void {
  const [describeHere, note] = describeLimited();

  describeHere(`a server in a container of 512 MiB, with ${MODELS} models of 16 MiB${note}`, () => {
    const servers = new Servers();
    let group: MemoryGroup;
    let server: ServerProcess;
    beforeAll(async () => {
      const filled = await servers.start({ EXAMPLES: 'off' });
      for (let index = 0; index < MODELS; index++) await filled.serve(`m${index}`, modelOf(index));
      await filled.stop();
      group = MemoryGroup.create(LIMIT_BYTES);
      server = group.start(() => servers.launch({ EXAMPLES: 'off', CACHE_TTL_SECONDS: '0', MODELS_DIR: filled.modelsDir }));
      await server.ready();
    }, 60_000);
    afterAll(async () => {
      await servers.remove();
      await group.remove();
    });

    /** @param lanes how many call at a time, each the models in turn @returns the answers, each kind with its number */
    async function callFor(ms: number, lanes: number): Promise<Readonly<Record<string, number>>> {
      const answers: Record<string, number> = {};
      const end = performance.now() + ms;
      const lane = async (first: number): Promise<void> => {
        for (let index = first; performance.now() < end; index++) {
          const { status, body } = await server.predict(`m${index % MODELS}?version=1`, { instances: [[1, 1, 1, 1]] });
          const answer = status === 200 ? `200 ${body.predictions[0].prediction}` : `${status} ${body.code}`;
          answers[answer] = (answers[answer] ?? 0) + 1;
        }
      };
      await Promise.all(Array.from({ length: lanes }, (_, at) => lane((at * MODELS) / lanes)));
      return answers;
    }

    it('knows how much it may take', () => {
      const seen = group.start(() => execFileSync(process.execPath, ['-p', CONTAINER_MEMORY], { encoding: 'utf8' }));
      expect(Number(seen)).toBe(LIMIT_BYTES);
    });

    it.each([
      [1, 'nothing is killed'],
      [4, 'the server itself is never killed'],
    ])(
      `answers ${seconds / 2} s of calls, %d at a time, with 200 or with 503 MODEL_MEMORY_EXCEEDED, and %s`,
      async (lanes) => {
        const before = group.kills;
        const answers = await callFor(seconds * 500, lanes);
        const killed = group.kills - before;
        console.log({ lanes, ...answers, killed, peakMiB: Math.round(group.peakBytes / MIB) });
        expect(answers['200 10']).toBeGreaterThan(MODELS);
        expect(Object.keys(answers).filter((answer) => !['200 10', '503 MODEL_MEMORY_EXCEEDED'].includes(answer))).toEqual([]);
        expect(server.running).toBe(true);
        if (lanes === 1) expect(killed).toBe(0);
      },
      seconds * 1000 + 30_000,
    );
  });

  describe('loading and unloading a model again and again', () => {
    const config = new RuntimeConfig();
    const launcher = new HostLauncher(config);
    const supervisor = new EngineSupervisor(config, launcher);
    const runtime = new HostRuntime(supervisor, launcher, config);
    const models = new ModelFolder();
    afterAll(async () => {
      await supervisor.onApplicationShutdown();
      models.remove();
    });

    it(`leaves the memory of the server and of its host within ${MAX_GROWTH} of what it was in the first ${FIRST_CYCLES} of ${cycles} times`, async () => {
      const file = models.file(modelOf(0));
      const seen: (readonly number[])[] = [];
      for (let cycle = 0; cycle < cycles; cycle++) {
        await (await runtime.load(file)).unload();
        seen.push([process.pid, ...hostsOf(process.pid)].map((pid) => Math.round(residentMiB(pid))));
      }
      // what is garbage is freed now and then: the most of the first, against the least of the last
      const [first, last] = [seen.slice(0, FIRST_CYCLES), seen.slice(-FIRST_CYCLES)];
      const most = [0, 1].map((at) => Math.max(...first.map((figures) => figures[at]!)));
      const least = [0, 1].map((at) => Math.min(...last.map((figures) => figures[at]!)));
      console.log({ cycles, most, least });
      expect(seen.every(({ length }) => length === 2)).toBe(true);
      least.forEach((mebibytes, at) => expect(mebibytes).toBeLessThanOrEqual(most[at]! * MAX_GROWTH));
    }, 120_000);
  });
}
