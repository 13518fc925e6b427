import { setTimeout as sleep } from 'node:timers/promises';
import { HOST, message, open } from '../e2e/raw-socket';
import { endlessLoop, linear, slowLoop } from '../onnx/models';
import { Random } from '../open-inference/random';
import { until } from '../process/processes';
import { type ServerProcess, Servers } from '../process/server-process';
import { bodyOf, Caller } from '../scheduling/caller';
import { Scrape } from './scrape';

/** A request, and what is known of it before it is sent. */
interface Planned {
  readonly path: string;
  readonly route: string;
  readonly body: object | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** Model and version, where it finds one. */
  readonly found?: string;
  /** It is told nothing of a model: no dialect sees it. */
  readonly lost?: true;
}

/** What its caller saw. */
interface Seen extends Planned {
  readonly status: number;
  readonly code?: string;
  readonly cache?: string;
}

const LANES = 16;
const ROUTES = {
  native: '/api/v1/predict/:model',
  v2: '/v2/models/:model/infer',
  v2Version: '/v2/models/:model/versions/:version/infer',
  tensorflow: '/v1/models/:model:predict',
  tensorflowVersion: '/v1/models/:model/versions/:version:predict',
} as const;

/** A question in one of three dialects. @param version absent: the one in production @param production its number */
function question(random: Random, model: string, x: number, production: number, version?: number): Planned {
  const found = `${model} ${version ?? production}`;
  const v2 = { inputs: [{ name: 'x', shape: [1, 1], datatype: 'FP32', data: [x] }] };
  const rows = { instances: [[x]] };
  const at = version === undefined ? '' : `/versions/${version}`;
  const dialects: readonly Planned[] = [
    { path: `/api/v1/predict/${model}${version === undefined ? '' : `?version=${version}`}`, route: ROUTES.native, body: rows, found },
    { path: `/v2/models/${model}${at}/infer`, route: version === undefined ? ROUTES.v2 : ROUTES.v2Version, body: v2, found },
    {
      path: `/v1/models/${model}${at}:predict`,
      route: version === undefined ? ROUTES.tensorflow : ROUTES.tensorflowVersion,
      body: rows,
      found,
    },
  ];
  return random.pick(dialects);
}

/** Hits, misses, answers past the cache, and everything that can be wrong with a request. */
function planOf(random: Random): readonly Planned[] {
  const plan: Planned[] = [];
  for (let at = 0; at < 400; at++) plan.push(question(random, 'line', random.below(40), 2, random.pick([undefined, undefined, 1])));
  for (let at = 0; at < 60; at++) plan.push({ ...question(random, 'line', at, 2), headers: { 'Cache-Control': 'no-store' } });
  for (let at = 0; at < 60; at++) plan.push(question(random, 'uncached', at, 1));
  for (let at = 0; at < 30; at++)
    plan.push({ ...question(random, 'slow', 1 + at, 1), headers: { 'X-Request-Deadline-Ms': random.pick(['1', '40', '5000']) } });
  for (let at = 0; at < 4; at++) plan.push(question(random, 'endless', 1 + at, 1));
  for (let at = 0; at < 30; at++) {
    const nobody = question(random, 'nobody', at, 1);
    const { found: _found, ...unknown } = nobody;
    plan.push(unknown);
    plan.push({ path: '/api/v1/predict/line', route: ROUTES.native, body: Buffer.from('{"instances": [[1]') });
    plan.push({ path: '/api/v1/predict/line?version=9', route: ROUTES.native, body: { instances: [[1]] } });
    plan.push({ path: '/api/v1/predict/line', route: ROUTES.native, body: { instances: [[1, 2]] }, found: 'line 2' });
    plan.push({
      path: '/v2/models/line/infer',
      route: ROUTES.v2,
      body: { inputs: [{ name: 'x', shape: [1, 1], datatype: 'INT64', data: [1] }] },
      found: 'line 2',
    });
    plan.push({ path: '/v1/models/line:predict', route: ROUTES.tensorflow, body: { instances: [['one']] }, found: 'line 2' });
    plan.push({
      path: '/api/v1/predict/line',
      route: ROUTES.native,
      body: { instances: [[1]] },
      headers: { 'Content-Type': 'text/plain' },
    });
    plan.push({ path: '/api/v1/nothing', route: 'unmatched', body: {}, lost: true });
  }
  const places = new Map(plan.map((planned) => [planned, random.bits()]));
  return plan.toSorted((a, b) => (places.get(a) as number) - (places.get(b) as number));
}

describe('what a server tells of itself after a load', () => {
  const servers = new Servers();
  let server: ServerProcess;
  let caller: Caller;
  let seen: readonly Seen[];
  /** Callers who went away while their call ran, and while they still sent it. */
  const [gone, halfSent] = [3, 2];
  let scrape: Scrape;

  beforeAll(async () => {
    server = await servers.start({ EXAMPLES: 'off', MAX_CALLS_PER_MODEL: '6', ENGINE_DEADLINE_MS: '300' });
    await server.serve('line', linear([[2]]));
    await server.serve('line', linear([[3]]));
    await server.serve('slow', slowLoop(60_000)); // some 30 ms
    await server.serve('endless', endlessLoop());
    await server.serve('uncached', linear([[5]]), { cache: { enabled: false } });
    await server.serve('patient', slowLoop(100_000_000), { deadlineMs: 60_000 }); // other bytes than the one that ends its host
    caller = new Caller(server.origin);
    seen = [...(await sendAll(caller, planOf(new Random(14)))), ...(await together(caller))];
    await leave(server, gone);
    await breakOff(server, halfSent);
    scrape = await Scrape.of(server.origin);
  }, 90_000);
  afterAll(async () => {
    caller.hangUp();
    await servers.remove();
  });

  const answered = () => seen.filter(({ status }) => status === 200);
  const withCode = (code: string) => seen.filter((each) => each.code === code).length;

  it('is of a load in which everything happened', () => {
    expect(seen.map(({ status }) => status)).toEqual(expect.arrayContaining([200, 400, 404, 415, 422, 429, 504]));
    expect(new Set(answered().map(({ cache }) => cache))).toEqual(new Set(['HIT', 'MISS', 'COALESCED', 'BYPASS']));
    expect([withCode('CALL_DEADLINE_EXCEEDED'), withCode('ENGINE_DEADLINE_EXCEEDED')].every((count) => count > 0)).toBe(true);
  });

  it('has every request, by its route and the status that its caller saw', () => {
    const told = scrape.by('http_request_duration_seconds_count', 'method', 'route', 'status');
    const routes = new Set([...Object.values(ROUTES), 'unmatched']);
    const own = Object.fromEntries(Object.entries(told).filter(([series]) => routes.has(series.split(' ')[1] as string)));
    const sent = tally(seen, ({ route, status }) => `POST ${route} ${status}`);
    expect(own).toEqual({ ...sent, [`POST ${ROUTES.native} 499`]: gone + halfSent });
  });

  it('has every error, by its code', () => {
    const codes = tally(seen, ({ code }) => code);
    expect(scrape.by('http_errors_total', 'code')).toEqual(codes);
    const { ROUTE_NOT_FOUND: _none, ...ofPredictions } = codes;
    const left = scrape.by('prediction_errors_total', 'code');
    expect(left).toEqual({ ...ofPredictions, CALLER_GONE: gone, BODY_ABORTED: halfSent });
  });

  it('has every prediction, by its model and the version that answered or would have', () => {
    expect(scrape.by('prediction_duration_seconds_count', 'model', 'version')).toEqual(tally(answered(), ({ found }) => found));
    const failed = tally(
      seen.filter(({ status }) => status !== 200),
      ({ found }) => found,
    );
    expect(scrape.by('prediction_failures_total', 'model', 'version')).toEqual({ ...failed, 'patient 1': gone });
  });

  it('adds up: every request that a dialect saw was answered or has an error', () => {
    const asked = seen.filter(({ lost }) => lost === undefined).length + gone + halfSent;
    expect(scrape.sum('prediction_duration_seconds_count') + scrape.sum('prediction_errors_total')).toBe(asked);
  });

  it('has what the cache did, as the callers were told', () => {
    const outcomes: Readonly<Record<string, string>> = { HIT: 'hit', MISS: 'miss', COALESCED: 'coalesced', BYPASS: 'bypassed' };
    const told = tally(answered(), ({ found = '', cache = '' }) => `${found.split(' ')[0]} ${outcomes[cache]}`);
    expect(scrape.by('prediction_cache_answers_total', 'model', 'outcome')).toEqual(told);
  });

  it('has every refusal, and every deadline that was missed', () => {
    expect(scrape.sum('prediction_refusals_total')).toBe(withCode('TOO_MANY_CALLS'));
    const misses = { queue: withCode('CALL_DEADLINE_EXCEEDED'), engine: withCode('ENGINE_DEADLINE_EXCEEDED') };
    expect(scrape.by('prediction_deadline_misses_total', 'stage')).toEqual(misses);
  });

  it('has the stages of what was answered', () => {
    const count = (of: (state: string) => boolean): number => answered().filter(({ cache = '' }) => of(cache)).length;
    const told = scrape.by('prediction_stage_duration_seconds_count', 'stage');
    const infer = scrape.sum('prediction_batch_rows_count');
    expect(told).toEqual({
      decode: count(() => true),
      encode: count(() => true),
      cache: count((state) => state !== 'BYPASS'),
      queue: count((state) => state !== 'HIT'),
      infer,
    });
    expect(infer).toBeGreaterThan(0);
    expect(infer).toBeLessThanOrEqual(count((state) => state === 'MISS' || state === 'BYPASS'));
  });

  it('has nothing left that waits or runs', () => {
    expect(
      ['prediction_calls', 'prediction_queue_calls', 'prediction_queue_oldest_seconds', 'prediction_input_bytes'].map((name) =>
        scrape.sum(name),
      ),
    ).toEqual([0, 0, 0, 0]);
  });
});

async function sendAll(caller: Caller, plan: readonly Planned[]): Promise<readonly Seen[]> {
  const seen: Seen[] = [];
  const left = plan.values();
  const lane = async (): Promise<void> => {
    for (const planned of left) seen.push(await send(caller, planned));
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return seen;
}

/** Equal questions at once, of which one is computed. */
function together(caller: Caller): Promise<readonly Seen[]> {
  const planned: Planned = { path: '/api/v1/predict/slow', route: ROUTES.native, body: { instances: [[7777]] }, found: 'slow 1' };
  return Promise.all([1, 2, 3, 4].map(() => send(caller, planned)));
}

async function send(caller: Caller, planned: Planned): Promise<Seen> {
  const reply = await caller.ask(planned.path, planned.body, planned.headers);
  const { status, headers } = reply;
  if (status !== 200) return { ...planned, status, code: bodyOf(reply).code as string };
  return { ...planned, status, cache: headers['x-cache'] as string };
}

/** Callers go away when the server has their calls. */
async function leave(server: ServerProcess, callers: number): Promise<void> {
  const leaver = new Caller(server.origin);
  const sent = Array.from({ length: callers }, (_, at) => leaver.send('/api/v1/predict/patient', { instances: [[1 + at]] }));
  const ended = Promise.allSettled(sent.map(({ reply }) => reply));
  await until('the server has their calls', async () => (await Scrape.of(server.origin)).sum('prediction_calls') === callers);
  for (const { leave: go } of sent) go();
  await ended;
  leaver.hangUp();
  await untilGone(server, callers);
}

/** Callers go away in the middle of a body. */
async function breakOff(server: ServerProcess, callers: number): Promise<void> {
  const before = (await Scrape.of(server.origin)).sum('http_request_duration_seconds_count', { status: '499' });
  for (let at = 0; at < callers; at++) {
    const socket = open(server.origin);
    const head = ['POST /api/v1/predict/line HTTP/1.1', HOST, 'Content-Type: application/json', 'Content-Length: 100'];
    socket.write(message(head, '{"instances":'));
    await sleep(50);
    socket.end();
    socket.destroy();
  }
  await untilGone(server, before + callers);
}

/** The head of an answer that nobody waits for is not sent: its end is all that the server knows of it. */
async function untilGone(server: ServerProcess, callers: number): Promise<void> {
  await until(
    'the server knows',
    async () => (await Scrape.of(server.origin)).sum('http_request_duration_seconds_count', { status: '499' }) === callers,
  );
}

function tally<T>(things: readonly T[], name: (thing: T) => string | undefined): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const thing of things) {
    const key = name(thing);
    if (key !== undefined) counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}
