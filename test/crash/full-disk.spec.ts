import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { linear, padded } from '../onnx/models';
import { type ServerProcess, Servers } from '../process/server-process';
import { beginOnNothing, fillOnce, FreeSpaceWatch, type Pass, type Scarce } from './full-disk';
import { Chance } from './power-cut-random';
import { describeOn, Volumes } from './power-cut-volumes';
import { askOver, type UploadAnswer, uploadLong, uploadWhole } from './upload-memory';

const MIB = 2 ** 20;
const MIN_FREE_BYTES = 16 * MIB;
/** Events and folders may be made below the line: so much of it they may take. */
const SMALL_CHANGE_BYTES = MIB;

const { seed } = Chance;

describe.each([
  ['bytes', 'tmpfs', 'a volume in memory', 10],
  ['names', 'tmpfs', 'a volume in memory that has no more names', 3],
  ['blocks', 'ext4', 'an ext4', 3],
] as const)('a full disk: %s', (scarce: Scarce, kind, where, times) => {
  const [describeHere, note] = describeOn(kind);

  describeHere(`on ${where} (seed ${seed})${note}`, () => {
    const volumes = new Volumes();
    const chance = new Chance(seed);
    afterEach(() => volumes.remove());

    it(`is named and harms nothing, and what failed succeeds when there is space again: ${times} passes`, async () => {
      for (let time = 0; time < times; time++) {
        const pass = await fillOnce(volumes, chance, scarce);
        expect(pass).toEqual({
          ...pass,
          codes: ['NO_SPACE'],
          violations: [],
          failedAgain: [],
          staged: [],
        } satisfies Pass);
        expect(Math.min(pass.acks, pass.triedAgain)).toBeGreaterThan(0);
      }
    }, 120_000);
  });
});

const [describeHere, note] = describeOn('tmpfs');

describeHere(`a disk that is full${note}`, () => {
  const volumes = new Volumes();
  afterEach(() => volumes.remove());

  it('finds the fault of a registry that writes under the name at once', async () => {
    const { violations } = await fillOnce(volumes, new Chance(seed), 'bytes', { megabytes: 1, mutant: 'no-staging' });
    expect(violations).not.toEqual([]);
  }, 60_000);

  it('from the first byte on is named, and when there is space the registry begins', async () => {
    const [full, after] = await beginOnNothing(volumes);
    expect(full).toEqual({ acks: [], errors: [{ error: 'NO_SPACE', step: 'open' }] });
    expect(after?.errors).toEqual([]);
    expect(after?.acks.map(({ ack }) => ack)).toEqual(['open', 'publish']);
  }, 60_000);
});

describeHere(`a server whose disk fills up${note}`, () => {
  const volumes = new Volumes();
  const servers = new Servers();
  let volume: string;
  let server: ServerProcess;
  let life: Life;

  beforeEach(async () => {
    volume = await volumes.tmpfs('size=96m');
    writeFileSync(join(volume, 'ballast'), Buffer.alloc(27 * MIB));
    const settings = {
      CACHE_TTL_SECONDS: '0',
      MODELS_DIR: join(volume, 'models'),
      MIN_FREE_BYTES: String(MIN_FREE_BYTES),
      EXAMPLES: 'off',
      MAX_UPLOADS_PER_KEY: '16',
    };
    server = await servers.start(settings);
    await server.serve('double', linear([[2]]));
    life = new Life(server, volume);
  }, 60_000);
  afterEach(async () => {
    await life.end().catch(() => {}); // what it has to tell it has told, or the test failed before
    await servers.remove();
    await volumes.remove();
  });

  it('refuses uploads before it is full, one after another, goes on serving, and takes uploads when there is space again', async () => {
    const answers: UploadAnswer[] = [];
    while (answers.at(-1)?.status !== 507 && answers.length < 12) answers.push(await upload(server, answers.length));
    const refused = answers.length - 1;
    rmSync(join(volume, 'ballast'));
    const again = await upload(server, refused);
    const seen = await life.end();

    expect(answers.at(-1)).toMatchObject({ status: 507, body: { code: 'NO_SPACE' } });
    expect(refused).toBeGreaterThan(3);
    expect(answers.slice(0, -1).filter(({ status }) => status !== 201)).toEqual([]);
    expect(again.status).toBe(201);
    expect(await listed(server)).toEqual(['double', ...answers.map((_, n) => `padded-${n}`)]);
    expectUnharmed(seen, volume);
  }, 120_000);

  it('does so when many uploads arrive together', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, (_, n) => upload(server, n)));
    const statuses = answers.map(({ status }) => status);
    const seen = await life.end();

    // whether all of them find room depends on who is first with what: none may get any other answer
    expect(statuses.filter((status) => status !== 201 && status !== 507)).toEqual([]);
    const published = statuses.flatMap((status, n) => (status === 201 ? [`padded-${n}`] : []));
    expect(await listed(server)).toEqual(['double', ...published]);
    expectUnharmed(seen, volume);
  }, 120_000);

  it('does so with an upload that is larger than the disk', async () => {
    const answer = await uploadLong(server, 'long', 256 * MIB);
    const seen = await life.end();

    expect(answer).toMatchObject({ status: 507, body: { code: 'NO_SPACE' } });
    expect(await listed(server)).toEqual(['double']);
    expectUnharmed(seen, volume);
  }, 120_000);
});

describe('a refused upload', () => {
  const servers = new Servers();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  afterEach(async () => {
    agent.destroy();
    await servers.remove();
  });

  it('leaves the connection fit for the next request, however much of it had arrived', async () => {
    const server = await servers.start({ MIN_FREE_BYTES: '999999999999999', EXAMPLES: 'off' });
    const statuses: unknown[] = [];
    for (const bytes of [2 ** 10, 2 ** 19, 2 ** 21]) {
      const refused = await uploadWhole(server, 'refused', Buffer.alloc(bytes), agent);
      statuses.push([refused.status, (await askOver(server, agent)).status]);
    }
    expect(statuses).toEqual(Array.from({ length: 3 }, () => [507, 200]));
  }, 60_000);
});

/** What went on while the disk filled up. */
interface Seen {
  readonly predictions: readonly number[];
  readonly readiness: readonly number[];
  readonly leastFree: number;
}

/** Asks a server for predictions and for its readiness, one after another, and looks at the free space of a volume, until it is ended. */
class Life {
  private ending = false;
  private readonly predictions: number[] = [];
  private readonly readiness: number[] = [];
  private readonly space: FreeSpaceWatch;
  private readonly lives: Promise<unknown>;
  private ended: Promise<Seen> | undefined;

  constructor(server: ServerProcess, volume: string) {
    const predict = async () => {
      const { status, body } = await server.predict('double', { instances: [[21]] });
      this.predictions.push(body.predictions?.[0].prediction === 42 ? status : -1);
    };
    const ask = async () => void this.readiness.push((await server.get('/health/ready')).status);
    this.space = new FreeSpaceWatch(volume);
    this.lives = Promise.all([predict, ask].map((act) => this.again(act)));
    this.lives.catch(() => {}); // told by `end`
  }

  /** May be called again. @throws where a question was not answered at all */
  end(): Promise<Seen> {
    return (this.ended ??= this.finish());
  }

  private async finish(): Promise<Seen> {
    this.ending = true;
    const leastFree = await this.space.end();
    await this.lives;
    const { predictions, readiness } = this;
    return { predictions, readiness, leastFree };
  }

  private async again(act: () => Promise<void>): Promise<void> {
    while (!this.ending) await act();
  }
}

/** Uploads a model of some 6 MB; each number makes another. */
async function upload(server: ServerProcess, n: number): Promise<UploadAnswer> {
  const form = new FormData();
  form.set('name', `padded-${n}`);
  form.set('file', new Blob([Uint8Array.from(padded(6 * MIB + 4 * n))]), 'model.onnx');
  const response = await fetch(`${server.origin}/api/v1/models`, { method: 'POST', body: form, signal: AbortSignal.timeout(60_000) });
  return { status: response.status, body: await response.json() };
}

async function listed(server: ServerProcess): Promise<readonly string[]> {
  const { body } = await server.get('/api/v1/models');
  return body.models.map(({ name }: { readonly name: string }) => name);
}

function expectUnharmed({ predictions, readiness, leastFree }: Seen, volume: string): void {
  expect(predictions.length).toBeGreaterThan(10);
  expect(new Set(predictions)).toEqual(new Set([200]));
  expect(new Set(readiness)).toEqual(new Set([200]));
  expect(readdirSync(join(volume, 'models', '.staging'))).toEqual([]);
  expect(leastFree).toBeGreaterThanOrEqual(MIN_FREE_BYTES - SMALL_CHANGE_BYTES);
}
