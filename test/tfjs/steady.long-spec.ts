import { join } from 'node:path';
import { HostProcess } from '../../src/runtime/hosts/host-process';
import { quietLibrary } from './quiet-library';
import { recurrent, steadySuite } from './steady-suite';
import { sourceOf } from './tfjs-files';

const ENTRY = join(__dirname, '..', '..', 'dist', 'runtime', 'hosts', 'host.main.js');
const CALLS = 100_000;
/** What an allocator may keep of work that is done, bytes. */
const SLACK = 32 * 2 ** 20;
const LIMIT = { milliseconds: 60_000, error: () => new Error('late') };

jest.setTimeout(1_200_000);
steadySuite(CALLS);

describe('an engine process', () => {
  it(`takes as much memory after ${CALLS} calls of a recurrent layer as after a few`, async () => {
    await quietLibrary();
    const source = sourceOf(await recurrent());
    const host = new HostProcess(ENTRY, 4096);
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 3, 2], data: new Float32Array(6) }] as const;
    const told: number[] = [];
    try {
      await host.ask({ do: 'load', ...source }, LIMIT);
      for (let turn = 0; turn < CALLS; turn++) {
        const { rssBytes } = await host.ask({ do: 'run', sha256: source.sha256, inputs, outputs: ['y'] }, LIMIT);
        if (rssBytes !== undefined) told.push(rssBytes);
      }
    } finally {
      host.kill();
      await host.ended;
    }
    console.info(`it told ${told.map((bytes) => Math.round(bytes / 2 ** 20)).join(' ')} MiB`);
    const settled = told[Math.floor(told.length / 10)] as number;
    expect(Math.max(...told.slice(-3)) - settled).toBeLessThan(SLACK);
  });
});
