import { execFile } from 'node:child_process';
import { appendFile, chmod, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { freePort } from '../cache/redis-process';
import { Scrape } from '../metrics/scrape';
import { endlessLoop, linear, slowLoop } from '../onnx/models';
import { until } from '../process/processes';
import { type ServerProcess, Servers } from '../process/server-process';

const ROOT = join(__dirname, '..', '..');
const run = promisify(execFile);
const KEY = 'a-key-of-this-test-alone';
const TEST_MS = 60_000;
const ENDLESS = { instances: [[1]] };

const servers = new Servers();
/** Everybody may do everything, and little fits in. */
let open: ServerProcess;
/** Keys are asked for. */
let keyed: ServerProcess;
/** The disk is full, a model is waited for, and few requests a second are let in. */
let full: ServerProcess;

const codeOf = async (answer: Promise<{ readonly body: any }>): Promise<string> => (await answer).body.code; // oxlint-disable-line typescript/no-explicit-any
const sent = (server: ServerProcess, path: string, headers: Readonly<Record<string, string>>, method = 'GET', body = ''): Promise<string> =>
  new Promise((resolve, reject) => {
    const asking = request(server.origin + path, { method, headers }, (answer) => {
      json(answer).then((problem) => resolve((problem as { code: string }).code), reject);
    });
    asking.on('error', reject).end(body);
  });
const upload = (server: ServerProcess, name: string, file: Uint8Array<ArrayBuffer>): Promise<string> => {
  const form = new FormData();
  form.set('name', name);
  form.set('file', new Blob([file]), 'model.onnx');
  return codeOf(server.ask('POST', '/api/v1/models', form));
};
const model = (): Uint8Array<ArrayBuffer> => Uint8Array.from(linear([[Math.random()]]));
/** How a start that is refused ends, and what it says to people. */
async function refused(settings: Readonly<Record<string, string>>): Promise<string> {
  const server = servers.launch(settings);
  const { code } = await server.ended();
  return `${code} ${server.stderr}${server.stdout}`;
}

/** What brings a row about, and what is seen then, by the row's mark. */
const TRIALS: Readonly<Record<string, () => Promise<string>>> = {
  BAD_CONFIGURATION: async () =>
    (await refused({ PORT: 'abc', MODELS_DIRR: 'x' })).startsWith('78 ') ? 'BAD_CONFIGURATION' : 'something else',
  'exit 78, no key': async () => {
    const said = await refused({ HOST: '0.0.0.0' });
    return said.startsWith('78 ') && said.includes('AUTH_MODE=none') ? 'exit 78, no key' : said;
  },
  EADDRINUSE: async () => /EADDRINUSE/.exec(await refused({ PORT: new URL(open.origin).port }))?.[0] ?? '',
  NOT_READY: () => codeOf(full.get('/health/startup')),
  UNAUTHENTICATED: () => sent(keyed, '/api/v1/models', {}),
  KEY_MISPLACED: () => sent(keyed, `/api/v1/models?api_key=${KEY}`, {}),
  FORBIDDEN: async () => {
    const create = ['dist/main.js', 'keys', 'create', '--name', 'reader', '--scope', 'models:read'];
    const key = (await run(process.execPath, create, { cwd: ROOT, env: { MODELS_DIR: keyed.modelsDir } })).stdout.trim();
    const headers = { 'X-API-Key': key };
    await until('the key is known', async () => (await fetch(`${keyed.origin}/api/v1/models`, { headers })).status === 200);
    return sent(keyed, '/api/v1/backups', headers);
  },
  FOREIGN_ORIGIN: () => sent(open, '/api/v1/backups', { Origin: 'https://elsewhere.example' }, 'POST'),
  FOREIGN_HOST: () => sent(open, '/api/v1/models', { Host: 'model.example' }),
  TOO_MANY_FAILURES: async () => {
    for (let times = 0; times < 20; times++) await sent(keyed, '/api/v1/models', { 'X-API-Key': 'wrong-wrong-wrong-wrong' });
    return sent(keyed, '/api/v1/models', { 'X-API-Key': 'wrong-wrong-wrong-wrong' });
  },
  NO_PRODUCTION_VERSION: async () => {
    await upload(open, 'new', model());
    return codeOf(open.predict('new', { instances: [[1]] }));
  },
  MODEL_NOT_FOUND: () => codeOf(open.predict('irsi', { instances: [[1]] })),
  MISSING_FEATURE: () => codeOf(open.predict('iris', { features: { sepal_length_cm: 5.1 } })),
  FEATURE_NAMES_MISSING: () => codeOf(open.predict('line', { features: { x: 1 } })),
  SHAPE_MISMATCH: () => codeOf(open.predict('iris', { instances: [[1, 2, 3]] })),
  MALFORMED_JSON: () => sent(open, '/api/v1/predict/iris', { 'Content-Type': 'application/json' }, 'POST', '{"instances": [[1,]]}'),
  UNSUPPORTED_MEDIA_TYPE: () => sent(open, '/api/v1/predict/iris', { 'Content-Type': 'application/x-www-form-urlencoded' }, 'POST', '{}'),
  BODY_TOO_LARGE: () => codeOf(open.predict('line', { instances: Array.from({ length: 2000 }, () => [1]) })),
  MODEL_REFUSED: () => upload(open, 'text', Uint8Array.from(Buffer.from('no model'))),
  NO_SPACE: () => upload(full, 'line', model()),
  VERSION_IN_USE: () => codeOf(open.ask('DELETE', '/api/v1/models/line/versions/1')),
  NOTHING_TO_ROLL_BACK: () => codeOf(open.ask('POST', '/api/v1/models/line/rollback', {})),
  MODEL_CHANGED: () =>
    sent(
      open,
      '/api/v1/models/line/versions/1/promote',
      { 'If-Match': '"00000000-1"', 'Content-Type': 'application/json' },
      'POST',
      '{"stage":"archived"}',
    ),
  TOO_MANY_CALLS: async () => {
    const codes = await Promise.all([1, 2, 3].map((x) => codeOf(open.predict('slow', { instances: [[x]] }))));
    return codes.includes('TOO_MANY_CALLS') ? 'TOO_MANY_CALLS' : codes.join();
  },
  TOO_MANY_REQUESTS: async () => {
    const codes = await Promise.all(Array.from({ length: 20 }, () => sent(full, '/api/v1/models', {})));
    return codes.includes('TOO_MANY_REQUESTS') ? 'TOO_MANY_REQUESTS' : codes.join();
  },
  ENGINE_DEADLINE_EXCEEDED: () => codeOf(open.predict('endless', ENDLESS)),
  MODEL_QUARANTINED: () =>
    until(
      'it is locked up',
      async () => {
        const code = await codeOf(open.predict('endless', ENDLESS));
        return code === 'MODEL_QUARANTINED' ? code : undefined;
      },
      TEST_MS / 2,
    ),
  CALL_DEADLINE_EXCEEDED: () => codeOf(open.predict('patient', { instances: [[9]] }, { 'X-Request-Deadline-Ms': '50' })),
  'X-Cache: BYPASS': async () => `X-Cache: ${(await open.predict('line', { instances: [[1]] })).headers.get('x-cache')}`,
  'breaker open': async () =>
    (await Scrape.of(open.origin)).sum('cache_breaker_state', { state: 'closed' }) === 0 ? 'breaker open' : 'closed',
  'backups are not scheduled': async () => open.log.map(({ msg }) => msg).find((msg) => msg === 'backups are not scheduled') ?? 'they are',
  NEWEST_VERIFIED: async () => {
    await open.ask('POST', '/api/v1/backups');
    await open.ask('POST', '/api/v1/backups/latest/verify', {});
    return codeOf(open.ask('DELETE', '/api/v1/backups/latest'));
  },
  SNAPSHOT_FAILED: async () => {
    const blobs = join(open.modelsDir, '..', 'backups', 'blobs');
    await rename(blobs, `${blobs}-away`);
    await writeFile(blobs, '');
    await open.serve('later', linear([[5]]));
    const code = await codeOf(open.ask('POST', '/api/v1/backups'));
    await rm(blobs);
    await rename(`${blobs}-away`, blobs);
    return code;
  },
  'no series yet': async () => ((await Scrape.of(keyed.origin)).has('prediction_deadline_misses_total') ? 'there is one' : 'no series yet'),
  // a registry that is damaged is not saved: after what saves it
  MODEL_UNAVAILABLE: async () => {
    await open.serve('damaged', linear([[7, 8]]));
    const digest = String((await open.get('/api/v1/models/damaged/versions/1')).body.files[0].sha256);
    await open.ask('POST', '/v2/repository/models/damaged/unload');
    const blob = join(open.modelsDir, 'blobs', 'sha256', digest.slice(0, 2), digest);
    await chmod(blob, 0o644);
    await appendFile(blob, 'x');
    return codeOf(open.ask('POST', '/v2/repository/models/damaged/load'));
  },
  SIGTERM: async () => {
    const stopping = await servers.start({ DRAIN_SECONDS: '1' });
    const { code, ms } = await stopping.stop('SIGTERM');
    return code === 0 && ms > 1000 && stopping.log.some(({ msg }) => msg === 'stopping') ? 'SIGTERM' : `${code} after ${ms} ms`;
  },
};

describe('docs/TROUBLESHOOTING.md', () => {
  let rows: readonly (readonly string[])[];

  beforeAll(async () => {
    const text = await readFile(join(ROOT, 'docs', 'TROUBLESHOOTING.md'), 'utf8');
    rows = [...text.matchAll(/^\| (?!what is seen|---)(.*) \| (.*) \| (.*) \|$/gm)].map(([, ...cells]) => cells);
    full = servers.launch({ REQUIRED_MODELS: 'nobody', MIN_FREE_BYTES: '999999999999999', RATE_LIMIT_PER_SECOND: '5', EXAMPLES: 'off' });
    [open, keyed] = await Promise.all([
      servers.start({
        ...{ MAX_CALLS_PER_MODEL: '2', MAX_JSON_BYTES: '4096', CACHE_TTL_SECONDS: '0', BACKUP_SCHEDULE: 'off' },
        REDIS_URL: `redis://127.0.0.1:${await freePort()}`,
      }),
      servers.start({ API_KEY: KEY, METRICS_PUBLIC: 'true' }),
    ]);
    await full.listening();
    await open.serve('line', linear([[2]]));
    await open.serve('endless', endlessLoop(), { deadlineMs: 200 });
    await open.serve('slow', endlessLoop(), { deadlineMs: 1000 });
    await open.serve('patient', slowLoop(20_000_000));
  }, TEST_MS);
  afterAll(() => servers.remove());

  it('has a row for each thing that is tried here, and nothing that is not', () => {
    const marks = rows.map(([seen]) => /\(`([^`]+)`\)/.exec(String(seen))?.[1]);
    expect(marks.length).toBeGreaterThanOrEqual(25);
    expect([...marks].sort()).toEqual(Object.keys(TRIALS).sort());
  });

  it('says to each where to look and what to do', () => {
    expect(rows.filter((cells) => cells.some((cell) => cell.length < 10))).toEqual([]);
  });

  it.each(Object.entries(TRIALS))(
    '%s is what a real server shows then',
    async (mark, trial) => {
      expect(await trial()).toBe(mark);
    },
    TEST_MS,
  );
});
