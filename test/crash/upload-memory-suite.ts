import { readdirSync } from 'node:fs';
import { globalAgent } from 'node:http';
import { join } from 'node:path';
import { padded } from '../onnx/models';
import { until } from '../process/processes';
import { Servers } from '../process/server-process';
import { Chance } from './power-cut-random';
import { abortUploads, MemoryWatch, uploadLong, uploadWhole } from './upload-memory';

const MIB = 2 ** 20;
const MAX_GROWTH = 32 * MIB;
const TIME_MS = 180_000;

/** Holds the real server to what is promised of uploads. @param aborts how many are cut */
export function describeUploads(bytes: number, aborts: number): void {
  const { seed } = Chance;
  const [describeHere, note] = process.platform === 'linux' ? [describe, ''] : [describe.skip, ' (SKIPPED: this is not Linux)'];

  describeHere(`an upload${note}`, () => {
    const servers = new Servers();
    afterEach(() => servers.remove());

    it(
      `of ${bytes / MIB} MiB goes to the disk and not into memory: the server grows by 32 MiB at most`,
      async () => {
        const server = await servers.start();
        const first = await uploadLong(server, 'short', 2 ** 16); // so that all the code is there that an upload needs
        const memory = new MemoryWatch(server.pid);
        const second = await uploadLong(server, 'long', bytes);

        expect([first, second].map(({ status, body }) => [status, body.code])).toEqual([
          [422, 'MODEL_REFUSED'],
          [422, 'MODEL_REFUSED'],
        ]);
        expect(memory.growth).toBeLessThanOrEqual(MAX_GROWTH);
        expect(readdirSync(join(server.modelsDir, '.staging'))).toEqual([]);
      },
      TIME_MS,
    );

    it(
      `whose connection is cut leaves nothing behind, wherever it is cut: ${aborts} times (seed ${seed})`,
      async () => {
        const server = await servers.start({ EXAMPLES: 'off' });
        await abortUploads(server, 'cut-off', padded(MIB), new Chance(seed), aborts);

        await until('nothing is staged', () => readdirSync(join(server.modelsDir, '.staging')).length === 0);
        expect((await server.get('/api/v1/models')).body).toMatchObject({ models: [], total: 0 });
        // and it takes the next, once it has seen the last ends: until then the caller's slots may all be taken
        const next = await until('there is a slot', async () => {
          const answer = await uploadWhole(server, 'whole', padded(MIB), globalAgent);
          return answer.status !== 429 && answer;
        });
        expect(next).toMatchObject({ status: 201 });
      },
      TIME_MS,
    );
  });
}
