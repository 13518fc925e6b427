// What a server does that is asked for more than it can: answers, refusals and times at 0.5 to 4 times its capacity, in an open loop.
// usage: npm run --silent build && node bench/overload.mjs [--only CASE] [--json FILE]
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { Callers, closedLoop, machine, median, onnxModels, openLoop, quietly, requestOf, Server, share } from './load.mjs';

const FACTORS = [0.5, 1, 2, 4];
/** Of each step only the last part counts: when it begins the queue is as full as it gets. */
const [FILL_S, STEP_S, CAPACITY_S, REST_S] = [2, 6, 4, 5];
const UNLOADED_CALLS = 200;
const PROBES_PER_SECOND = 50;
const MAX_CALLS_PER_MODEL = 256;
const [PEAK_BAR, LIVE_BAR_MS, REFUSED_BAR_MS, RECOVERED_BAR] = [0.9, 50, 100, 1.5];

const round = (value, digits = 2) => Number(value.toFixed(digits));
const percent = (part) => `${(100 * part).toFixed(1)} %`;
/** What a full queue may take longer than on average. */
const SLACK = 1.25;
const ms = (value) => (Number.isNaN(value) ? '-' : value.toFixed(value < 100 ? 1 : 0));
const verdict = (good) => {
  if (!good) process.exitCode = 1;
  return good ? 'met' : 'MISSED';
};
const times = (outcomes) => outcomes.map((outcome) => outcome.ms);
const figuresOf = (values) => ({ p50: round(median(values)), p99: round(share(values, 0.99)), max: round(share(values, 1)) });

/** Arrivals as of many callers who know nothing of one another: a Poisson process, the same at every run. */
function poisson(perSecond) {
  let seed = 9;
  return () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return (-Math.log(1 - seed / 2 ** 32) * 1000) / perSecond;
  };
}

async function stepOf({ server, request, capacity, factor }) {
  const [callers, probers] = [new Callers(server), new Callers(server)];
  const seconds = FILL_S + STEP_S;
  const cpu = server.cpuSeconds;
  const [load, probes] = await Promise.all([
    openLoop({ callers, request, gapMs: poisson(capacity * factor), seconds }),
    openLoop({ callers: probers, request: requestOf(server, 'GET', '/health/live'), gapMs: () => 1000 / PROBES_PER_SECOND, seconds }),
  ]);
  const [from, to] = [load.startedAt + FILL_S * 1000, load.startedAt + seconds * 1000];
  const counted = load.outcomes.filter(({ dueAt }) => dueAt >= from);
  const statuses = Object.groupBy(counted, ({ status }) => status);
  const { 200: accepted = [], 429: refused = [] } = statuses;
  const retryAfter = refused.map(({ head }) => Number(/\r\nretry-after: (\d+)/i.exec(head)?.[1]));
  callers.close();
  probers.close();
  return {
    factor,
    offeredPerSecond: round(counted.length / STEP_S, 1),
    goodputPerSecond: round(
      load.outcomes.filter(({ status, endedAt }) => status === 200 && endedAt >= from && endedAt <= to).length / STEP_S,
      1,
    ),
    refusedShare: round(refused.length / counted.length, 4),
    statuses: Object.fromEntries(Object.entries(statuses).map(([status, { length }]) => [status, length])),
    accepted: figuresOf(times(accepted)),
    refused: refused.length === 0 ? undefined : figuresOf(times(refused)),
    retryAfter: refused.length === 0 ? undefined : { least: Math.min(...retryAfter), most: Math.max(...retryAfter) },
    live: { ...figuresOf(times(probes.outcomes)), not200: probes.outcomes.filter(({ status }) => status !== 200).length },
    sentLateMs: round(
      share(
        load.outcomes.map(({ lateMs }) => lateMs),
        0.99,
      ),
    ),
    serverCores: round((server.cpuSeconds - cpu) / ((load.outcomes.at(-1).endedAt - load.startedAt) / 1000)),
  };
}

/** A few calls, one after another, while nobody else calls. */
async function unloaded({ server, request }) {
  const callers = new Callers(server);
  const { times: took } = await closedLoop({ callers, request, connections: 1, seconds: UNLOADED_CALLS / 100 });
  callers.close();
  return figuresOf(took);
}

async function capacityOf({ server, request, connections }) {
  const callers = new Callers(server);
  await closedLoop({ callers, request, connections, seconds: 2 }); // a second host loads the model
  const { perSecond } = await closedLoop({ callers, request, connections, seconds: CAPACITY_S });
  callers.close();
  return { perSecond };
}

async function measure({ name, about, model, metadata, body, connections }) {
  const server = await Server.start();
  try {
    const { batchRows } = await server.serve('bench', model, metadata);
    const request = requestOf(server, 'POST', '/api/v1/predict/bench', body);
    const found = await quietly(server, () => capacityOf({ server, request, connections }));
    const capacity = found.perSecond;
    const before = await quietly(server, () => unloaded({ server, request }));
    const steps = [];
    for (const factor of FACTORS) steps.push(await quietly(server, () => stepOf({ server, request, capacity, factor })));
    await sleep(REST_S * 1000);
    const after = await unloaded({ server, request });
    const capacityPerSecond = round(capacity, 1);
    return {
      name,
      about,
      batchRows,
      connections,
      capacityPerSecond,
      capacityOthersCores: found.othersCores,
      queue: MAX_CALLS_PER_MODEL,
      unloaded: before,
      steps,
      recovered: after,
    };
  } finally {
    await server.stop();
  }
}

const COLUMNS = {
  load: ({ factor }) => `${factor} x`,
  'offered/s': ({ offeredPerSecond }) => offeredPerSecond.toFixed(0),
  'answered/s': ({ goodputPerSecond }) => goodputPerSecond.toFixed(0),
  refused: ({ refusedShare }) => percent(refusedShare),
  'p50 ms': ({ accepted }) => ms(accepted.p50),
  'p99 ms': ({ accepted }) => ms(accepted.p99),
  '429 p99': ({ refused }) => (refused === undefined ? '-' : ms(refused.p99)),
  'live p50': ({ live }) => ms(live.p50),
  'live p99': ({ live }) => ms(live.p99),
  'live max': ({ live }) => ms(live.max),
  'sent late': ({ sentLateMs }) => ms(sentLateMs),
  cores: ({ serverCores }) => serverCores.toFixed(2),
  others: ({ othersCores }) => othersCores.toFixed(2),
};

function print({ name, about, batchRows, connections, capacityPerSecond, unloaded: before, steps }) {
  console.log(`\n${name}: ${about}; at most ${batchRows} rows a run`);
  console.log(
    `capacity, ${connections} callers in a closed loop: ${capacityPerSecond.toFixed(0)} calls/s; unloaded: p50 ${ms(before.p50)} ms`,
  );
  const line = (cells) => console.log(cells.map((cell) => cell.padStart(10)).join(''));
  line(Object.keys(COLUMNS));
  for (const step of steps) line(Object.values(COLUMNS).map((cell) => cell(step)));
}

function judge({ queue, unloaded: before, steps, recovered }) {
  const most = (figure) => Math.max(...steps.map((step) => figure(step) ?? 0));
  const beyond = steps.filter(({ factor }) => factor >= 2).map(({ goodputPerSecond }) => goodputPerSecond);
  const kept = Math.min(...beyond) / most(({ goodputPerSecond }) => goodputPerSecond);
  const longest = most(({ accepted }) => accepted.p99);
  const bound = (SLACK * queue * 1000) / Math.min(...beyond) + before.p99;
  const refusal = most(({ refused }) => refused?.p99);
  const hinted = steps.every(({ retryAfter }) => retryAfter === undefined || retryAfter.least >= 1);
  const others = steps.flatMap(({ statuses }) => Object.keys(statuses)).filter((status) => status !== '200' && status !== '429');
  const live = most((step) => step.live.p99);
  const alive = steps.every((step) => step.live.not200 === 0);
  const slower = recovered.p50 / before.p50;
  const say = (what, bar, good) => console.log(`${what} (${bar}: ${verdict(good)})`);
  say(`answered at 2 x and 4 x: at least ${percent(kept)} of the peak`, `bar ${percent(PEAK_BAR)}`, kept >= PEAK_BAR);
  say(`p99 of what was answered: at most ${ms(longest)} ms`, `bar ${ms(bound)}, ${SLACK} full queues`, longest <= bound);
  say(`p99 of a refusal: at most ${ms(refusal)} ms`, `bar ${REFUSED_BAR_MS}`, refusal <= REFUSED_BAR_MS);
  say('every refusal says Retry-After', 'bar all', hinted);
  say(`answers besides 200 and 429: ${others.join(', ') || 'none'}`, 'bar none', others.length === 0);
  say(`p99 of /health/live: at most ${ms(live)} ms`, `bar ${LIVE_BAR_MS}, all 200`, live <= LIVE_BAR_MS && alive);
  say(
    `${REST_S} s after the load: p50 ${ms(recovered.p50)} ms, ${slower.toFixed(2)} of unloaded`,
    `bar ${RECOVERED_BAR}`,
    slower <= RECOVERED_BAR,
  );
}

const { values } = parseArgs({ options: { json: { type: 'string' }, only: { type: 'string' } } });
const { slowLoop, mlp } = onnxModels();
const ROW = JSON.stringify({ instances: [Array.from({ length: 16 }, (_, at) => at / 16)] });
const CASES = [
  {
    name: 'a run a call',
    about: 'a loop of about 10 ms, batching off',
    model: slowLoop(20_000),
    metadata: { batching: 'off' },
    body: '{"instances":[[1]]}',
    connections: 16,
  },
  {
    name: 'calls put together',
    about: 'a perceptron with 16 hidden layers of 4096',
    model: mlp(16, 4096, 16),
    body: ROW,
    connections: 128,
  },
  {
    name: 'beyond the door',
    about: 'a perceptron with 2 hidden layers of 2048, faster than its callers can be told no',
    model: mlp(16, 2048, 2),
    body: ROW,
    connections: 128,
    asked: true, // not a promise: what is beyond the door's own capacity, see docs/PERFORMANCE.md
  },
];
console.log(`${machine().cpus} x ${machine().model}, Node ${machine().node}; open loop: Poisson arrivals, times counted from the schedule`);
console.log(
  `the load comes from the same machine; ${STEP_S} s a step, after ${FILL_S} s that fill the queue; refused beyond ${MAX_CALLS_PER_MODEL}`,
);
const cases = [];
for (const each of CASES.filter(({ name, asked }) => (values.only === undefined ? !asked : name === values.only))) {
  const figures = await measure(each);
  print(figures);
  if (!each.asked) judge(figures);
  cases.push(figures);
}
const figures = { machine: machine(), stepSeconds: STEP_S, cases };
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(figures, undefined, 2)}\n`);
