import { setTimeout as sleep } from 'node:timers/promises';
import { asBinary, asJson, type ClientRequest, outputsOf, valuesOf } from '../open-inference/client';
import { linear, padded } from '../onnx/models';
import { hostsOf, residentMiB } from '../process/processes';
import { randomFrom } from '../process/registry-operations';
import { type ServerProcess, Servers } from '../process/server-process';
import { theilSen } from './slope';

const MINUTES = Number(process.env['MINUTES'] ?? 20);
const SEED = Number(process.env['SEED'] ?? 1);
const MINUTE_MS = 60_000;
/** The server has what it keeps after this: a third of the time, five minutes at most. In less than one minute it has not. */
const WARM_MS = Math.min(5 * MINUTE_MS, (MINUTES * MINUTE_MS) / 3);
const LANES = 6;
const SAMPLE_MS = 500;
/**
 * How much the server may grow after its warm-up. Noise, a few MiB of garbage more or less at either end, makes a slope of a few MiB over
 * the whole time, however long it is: 8 MiB, and of 2 h (RS-19) 1 MiB/h more.
 */
const MAX_GROWTH_MIB = 8;
/** Node's area for short-lived objects comes and goes by 64 MiB, whatever the server does: here it may be 3. */
const NODE_OPTIONS = '--max-semi-space-size=1';
/** What a call may be answered with whose host was killed twice; and the one model that is unloaded now and then, while it is. */
const EXPLAINED = /^503 (ENGINE_CRASHED|MODEL_QUARANTINED)$/;
const EXPLAINED_OF_HEAVY = '503 MODEL_UNAVAILABLE';

/** A way to ask a model for its answers to rows. */
type Ask = (server: ServerProcess, model: string, rows: readonly (readonly number[])[]) => Promise<Said>;

interface Said {
  readonly status: number;
  readonly code: unknown;
  readonly version: number;
  readonly values: readonly number[];
}

async function post(
  server: ServerProcess,
  path: string,
  { body, headers }: ClientRequest,
  read: (bytes: Buffer, headers: Headers) => readonly number[],
): Promise<Said> {
  const response = await fetch(server.origin + path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: Uint8Array.from(body),
    signal: AbortSignal.timeout(30_000),
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  const { status } = response;
  const version = Number(response.headers.get('x-model-version'));
  if (status === 200) return { status, code: '', version, values: read(bytes, response.headers) };
  const { code = bytes.toString() } = JSON.parse(bytes.toString()) as { readonly code?: string };
  return { status, code, version, values: [] };
}

const json = (value: object): ClientRequest => ({ body: Buffer.from(JSON.stringify(value)), headers: {} });
const tensorOf = (rows: readonly (readonly number[])[]) => {
  const shape = [rows.length, rows[0]?.length ?? 0];
  return { datatype: 'FP32', shape, bytes: Buffer.from(Float32Array.from(rows.flat()).buffer) } as const;
};
const outputs = (bytes: Buffer, headers: Headers): readonly number[] => {
  const [tensor] = outputsOf(bytes, Object.fromEntries(headers)).values();
  return tensor === undefined ? [] : valuesOf(tensor.datatype, tensor.bytes).map(Number);
};

const DIALECTS: Readonly<Record<string, Ask>> = {
  native: (server, model, rows) =>
    post(server, `/api/v1/predict/${model}`, json({ instances: rows }), (bytes) =>
      (JSON.parse(bytes.toString()) as { readonly predictions: readonly { readonly prediction: number }[] }).predictions.map(({ prediction }) => prediction)), // prettier-ignore
  'v2 JSON': (server, model, rows) => post(server, `/v2/models/${model}/infer`, asJson('x', tensorOf(rows), true), outputs),
  'v2 binary': (server, model, rows) => post(server, `/v2/models/${model}/infer`, asBinary('x', tensorOf(rows)), outputs),
  v1: (server, model, rows) =>
    post(server, `/v1/models/${model}:predict`, json({ instances: rows }), (bytes) =>
      (JSON.parse(bytes.toString()) as { readonly predictions: readonly (readonly number[])[] }).predictions.flat(),
    ),
};

describe(`a server, asked in every dialect for ${MINUTES} min while engine hosts are killed and models change, SEED=${SEED}`, () => {
  const servers = new Servers();
  afterAll(() => servers.remove());

  it(
    'answers what the models compute or says why not, and does not grow',
    async () => {
      const random = randomFrom(SEED);
      const below = (n: number): number => Math.floor(random() * n);
      const server = await servers.start({
        EXAMPLES: 'off',
        LOG_LEVEL: 'warn',
        NODE_OPTIONS,
        MODEL_ISOLATION: 'always',
        CACHE_TTL_SECONDS: '0',
      });
      // padded is 1 2 3 4; a version of the line is its own number times that
      const factor = (version: number): number[][] => [1, 2, 3, 4].map((weight) => [weight * version]);
      await server.serve('heavy', padded(8 * 2 ** 20));
      await server.serve('calm', linear(factor(1)));
      await server.serve('line', linear(factor(1)));
      const counts: Record<string, number> = {};
      const count = (what: string): number => (counts[what] = (counts[what] ?? 0) + 1);
      const wrong: object[] = [];
      const unexplained: string[] = [];
      const startedAt = performance.now();
      const endAt = startedAt + MINUTES * MINUTE_MS;
      const going = (): boolean => performance.now() < endAt;

      const lane = async (): Promise<void> => {
        while (going()) {
          const [dialect, ask] = Object.entries(DIALECTS)[below(4)] as [string, Ask];
          const model = (['heavy', 'calm', 'line'] as const)[below(3)]!;
          const rows = Array.from({ length: 1 + below(8) }, () => [below(100), below(100), below(100), below(100)]);
          const said = await ask(server, model, rows).catch((error: unknown) => String(error));
          if (typeof said === 'string') unexplained.push(`${dialect} ${model}: ${said}`);
          else if (said.status === 200) {
            count(`200 ${dialect}`);
            const times = model === 'line' ? said.version : 1;
            const right = rows.map(([a = 0, b = 0, c = 0, d = 0]) => times * (a + 2 * b + 3 * c + 4 * d));
            if (JSON.stringify(said.values) !== JSON.stringify(right)) wrong.push({ dialect, model, rows, said });
          } else {
            const answer = `${said.status} ${String(said.code)}`;
            count(answer.slice(0, 80));
            if (!EXPLAINED.test(answer) && !(model === 'heavy' && answer === EXPLAINED_OF_HEAVY))
              unexplained.push(`${dialect} ${model}: ${answer}`);
          }
          await sleep(below(20));
        }
      };
      const change = async (what: string, method: string, path: string, body: object): Promise<void> => {
        const answer = await server.ask(method, path, body);
        count(`${what} ${answer.status}`);
        // an import has a host of its own, which may be the one that was killed
        if (answer.status >= 300 && !/SIGKILL/.test(JSON.stringify(answer.body)))
          unexplained.push(`${what}: ${JSON.stringify(answer.body)}`);
      };
      let version = 1;
      const faults: readonly (() => Promise<void>)[] = [
        async () => {
          const hosts = hostsOf(server.pid);
          const host = hosts[below(hosts.length)];
          if (host === undefined) return;
          count('kill');
          try {
            process.kill(host, 'SIGKILL');
          } catch {} // it ended by itself
        },
        async () => {
          await change('unload', 'POST', '/v2/repository/models/heavy/unload', {});
          await sleep(below(200));
          await change('load', 'POST', '/v2/repository/models/heavy/load', {});
        },
        async () => {
          const form = new FormData();
          form.set('name', 'line');
          form.set('version', String(++version));
          form.set('file', new Blob([Uint8Array.from(linear(factor(version)))]), 'model.onnx');
          await change('upload', 'POST', '/api/v1/models', form);
          await change('promote', 'POST', `/api/v1/models/line/versions/${version}/promote`, { stage: 'production' });
          if (below(2) === 0) await change('rollback', 'POST', '/api/v1/models/line/rollback', {});
        },
      ];
      const harm = async (): Promise<void> => {
        while (going()) {
          await sleep(500 + below(1500));
          await faults[below(faults.length)]!();
        }
      };
      const seen: (readonly [hours: number, mebibytes: number])[] = [];
      const weigh = async (): Promise<void> => {
        while (going()) {
          await sleep(SAMPLE_MS);
          const ms = performance.now() - startedAt;
          if (ms > WARM_MS) seen.push([ms / MINUTE_MS / 60, residentMiB(server.pid)]);
        }
      };
      await Promise.all([...Array.from({ length: LANES }, lane), harm(), weigh()]);

      const slope = theilSen(seen);
      const measuredHours = (seen.at(-1)?.[0] ?? 0) - (seen[0]?.[0] ?? 0);
      console.log({ ...counts, startMiB: seen[0]?.[1], endMiB: seen.at(-1)?.[1], slopeMiBPerHour: slope, grewMiB: slope * measuredHours });
      expect({ wrong: wrong.slice(0, 3), unexplained: unexplained.slice(0, 10) }).toEqual({ wrong: [], unexplained: [] });
      for (const dialect of Object.keys(DIALECTS)) expect(counts[`200 ${dialect}`]).toBeGreaterThan(100 * MINUTES);
      expect(counts['kill']).toBeGreaterThan(MINUTES);
      expect(slope * measuredHours).toBeLessThan(MAX_GROWTH_MIB + measuredHours);
    },
    (MINUTES + 2) * MINUTE_MS,
  );
});
