import { join } from 'node:path';
import { HostProcess } from '../../src/runtime/hosts/host-process';
import { quietLibrary } from './quiet-library';
import { recurrent, steadySuite } from './steady-suite';
import { sourceOf } from './tfjs-files';

const ENTRY = join(__dirname, '..', '..', 'dist', 'runtime', 'hosts', 'host.main.js');
const CALLS = 100_000;
/** What an allocator may keep of work that is done, bytes. */
const SLACK = 32 * 2 ** 20;
/** As long a process grows of whatever it runs, ONNX models as well: V8 looks for garbage where there is a lot. */
const FIRST_CALLS = 80_000;
const LIMIT = { milliseconds: 60_000, error: () => new Error('late') };

jest.setTimeout(1_200_000);
steadySuite(CALLS);

describe('an engine process', () => {
  it(`takes no more memory for another ${CALLS} calls of a recurrent layer`, async () => {
    await quietLibrary();
    const source = sourceOf(await recurrent());
    const host = new HostProcess(ENTRY, 4096);
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 3, 2], data: new Float32Array(6) }] as const;
    const mostIn = async (calls: number): Promise<number> => {
      let most = 0;
      for (let turn = 0; turn < calls; turn++) {
        const { rssBytes = 0 } = await host.ask({ do: 'run', sha256: source.sha256, inputs, outputs: ['y'] }, LIMIT);
        most = Math.max(most, rssBytes);
      }
      return most;
    };
    try {
      await host.ask({ do: 'load', ...source }, LIMIT);
      const first = await mostIn(FIRST_CALLS);
      const later = await mostIn(CALLS);
      console.info(`an engine process took at most ${first / 2 ** 20} MiB at first, and ${later / 2 ** 20} later`);
      expect(later - first).toBeLessThan(SLACK);
    } finally {
      host.kill();
      await host.ended;
    }
  });
});
