import { padded } from '../onnx/models';
import { hostsOf, residentMiB } from './processes';
import { type ServerProcess, Servers } from './server-process';

const MIB = 2 ** 20;
const MODELS = [4, 8, 16].map((mebibytes) => ({ name: `m${mebibytes}`, bytes: mebibytes * MIB }));
/** What Node keeps for short-lived objects comes and goes by 64 MiB, whatever the server does: here it may be 3. */
const NODE_OPTIONS = '--max-semi-space-size=1';
/** So many calls bring the server to what it takes anyway: compiled code, and the objects that come with it. */
const WARM_CALLS = 500;
/** After so many the allocators have what they keep, and so many on either side are looked at: garbage is collected now and then. */
const SETTLED = 10;
const MAX_GROWTH = 1.1;

/** Holds a server to the memory that it took at first (RS-17). @param cycles how often each model is unloaded, loaded and called */
export function describeLoadCycles(cycles: number): void {
  describe('a server whose models are unloaded and loaded again and again', () => {
    const servers = new Servers();
    let server: ServerProcess;
    beforeAll(async () => {
      server = await servers.start({ EXAMPLES: 'off', LOG_LEVEL: 'warn', CACHE_TTL_SECONDS: '0', NODE_OPTIONS });
      for (const { name, bytes } of MODELS) await server.serve(name, padded(bytes));
      for (let call = 0; call < WARM_CALLS; call++) await predict('m4');
    }, 60_000);
    afterAll(() => servers.remove());

    const change = async (name: string, what: 'load' | 'unload'): Promise<void> => {
      const { status } = await server.ask('POST', `/v2/repository/models/${name}/${what}`, {});
      if (status !== 200) throw new Error(`${what} ${name}: ${status}`);
    };
    const predict = async (name: string): Promise<void> => {
      const { body } = await server.predict(name, { instances: [[1, 1, 1, 1]] });
      if (body.predictions?.[0]?.prediction !== 10) throw new Error(`${name}: ${JSON.stringify(body)}`);
    };
    const cycle = async (): Promise<void> => {
      for (const { name } of MODELS) {
        await change(name, 'unload');
        await change(name, 'load');
        await predict(name);
      }
    };

    it(`takes no more than ${MAX_GROWTH} of the memory after ${SETTLED} times, with all its processes, after ${cycles} times`, async () => {
      const seen: number[] = [];
      for (let at = 0; at < cycles; at++) {
        await cycle();
        seen.push([server.pid, ...hostsOf(server.pid)].reduce((sum, pid) => sum + residentMiB(pid), 0));
      }
      const [first, last] = [median(seen.slice(SETTLED / 2, SETTLED * 1.5)), median(seen.slice(-SETTLED))];
      console.log(`${first.toFixed(0)} MiB, then ${last.toFixed(0)}, at most ${Math.max(...seen).toFixed(0)}`);
      expect(last).toBeLessThanOrEqual(first * MAX_GROWTH);
    }, 300_000);
  });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}
