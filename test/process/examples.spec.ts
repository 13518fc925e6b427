import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ServerProcess, Servers } from './server-process';

const ROOT = join(__dirname, '../..');
const FOLDER = join(ROOT, 'examples');
const NAMES = readdirSync(FOLDER).sort();
const TOLERANCE = 1e-5;

interface GoldenRow {
  readonly features: Readonly<Record<string, number>>;
  readonly prediction: string | number;
  readonly probabilities?: Readonly<Record<string, number>>;
}

const textOf = (...path: readonly string[]): string => readFileSync(join(FOLDER, ...path), 'utf8');
const close = (a: number, b: number): boolean => Math.abs(a - b) <= TOLERANCE * Math.max(1, Math.abs(b));

/** A model of ONNX is one file, one of TensorFlow.js is several. */
const modelFiles = (name: string): readonly string[] =>
  readdirSync(join(FOLDER, name)).filter((file) => /\.(onnx|bin)$|^model\.json$/.test(file));

describe('the examples', () => {
  const servers = new Servers();
  let server: ServerProcess;
  beforeAll(async () => void (server = await servers.start({ EXAMPLES: 'off' })));
  afterAll(() => servers.remove());

  it('are four', () => {
    expect(NAMES).toEqual(['fuel-economy', 'iris', 'market', 'market-tfjs']);
  });

  describe.each(NAMES)('%s', (name) => {
    it('is uploaded with its metadata, and answers its own request', async () => {
      const form = new FormData();
      for (const [field, value] of [['name', name], ['metadata', textOf(name, 'metadata.json')], ['stage', 'production']] as const) form.set(field, value); // prettier-ignore
      for (const file of modelFiles(name)) form.append('file', new Blob([readFileSync(join(FOLDER, name, file))]), file);
      expect((await fetch(`${server.origin}/api/v1/models`, { method: 'POST', body: form })).status).toBe(201);
      const { status, body } = await server.predict(name, JSON.parse(textOf(name, 'request.json')) as object);
      expect([status, body.model]).toEqual([200, name]);
    });

    it('answers every golden row as its trainer does', async () => {
      const { rows } = JSON.parse(textOf(name, 'golden.json')) as { readonly rows: readonly GoldenRow[] };
      const { body } = await server.predict(name, { features: rows.map(({ features }) => features) });
      const off = rows.filter(({ prediction, probabilities = {} }, at) => {
        const given = body.predictions[at];
        const same = typeof prediction === 'number' ? close(given.prediction, prediction) : given.prediction === prediction;
        return !same || !Object.entries(probabilities).every(([label, value]) => close(given.probabilities[label], value));
      });
      expect(rows).toHaveLength(50);
      expect(off).toEqual([]);
    });
  });

  it.each(NAMES.filter((name) => name !== 'iris'))('%s has commands in its README that do what they say', (name) => {
    const blocks = [...textOf(name, 'README.md').matchAll(/^```sh\n(.*?)^```$/gms)].map(([, commands = '']) => commands);
    const said = blocks.map((commands) => {
      const script = commands.replaceAll('http://127.0.0.1:4100', server.origin);
      return execFileSync('bash', ['-euc', script], { cwd: ROOT, encoding: 'utf8' });
    });
    expect(said).toHaveLength(2);
    expect(said[0]).toContain(`"model":"${name}"`);
    expect(said[0]).toContain('"prediction":');
    expect(said[1]).toContain('"code":"GOLDEN_MISMATCH"');
  });
});
