import { request } from 'node:http';
import { linear } from '../onnx/models';
import { type ServerProcess, Servers } from '../process/server-process';
import { Caller } from '../scheduling/caller';
import { Scrape } from './scrape';

const NAMES = 10_000;
const LANES = 32;

/** As many callers as there are lanes send everything of a list. */
async function inLanes<T>(things: Iterable<T>, work: (thing: T) => Promise<unknown>): Promise<void> {
  const left = things[Symbol.iterator]();
  const lane = async (): Promise<void> => {
    for (let next = left.next(); next.done !== true; next = left.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

describe('the series of a server', () => {
  const servers = new Servers();
  let server: ServerProcess;
  let caller: Caller;
  beforeAll(async () => {
    server = await servers.start({ EXAMPLES: 'off', BACKUP_SCHEDULE: 'off' });
    caller = new Caller(server.origin);
    await server.serve('line', linear([[2]]));
  }, 30_000);
  afterAll(async () => {
    caller.hangUp();
    await servers.remove();
  });

  const scrape = (): Promise<Scrape> => Scrape.of(server.origin);
  const ask = (path: string, headers = {}): Promise<unknown> => caller.ask(path, { instances: [[1]] }, headers);
  /** Series that name a model. */
  const ofModels = async (): Promise<readonly string[]> => [...(await scrape()).series].filter((series) => / model=/.test(series));

  it('do not become more by what 10 000 requests ask for: names, versions, labels, paths, queries, headers, methods', async () => {
    const kinds: readonly ((at: number) => Promise<unknown>)[] = [
      (at) => ask(`/api/v1/predict/model-${at}`),
      (at) => ask(`/v2/models/model-${at}/infer`),
      (at) => ask(`/v1/models/model-${at}:predict`),
      (at) => ask(`/api/v1/predict/line?version=${at + 2}`),
      (at) => ask(`/v2/models/line/versions/${at + 2}/infer`),
      (at) => ask(`/v1/models/line/labels/label-${at}:predict`),
      (at) => ask(`/api/v1/predict/line?alias=alias-${at}`),
      (at) => ask(`/nothing/${at}`),
      (at) => ask(`/api/v1/predict/line?x=${at}`),
      (at) => caller.ask(`/api/v1/models/model-${at}`),
      (at) => caller.ask(`/v2/models/model-${at}/stats`),
      (at) => ask('/api/v1/predict/line', { 'X-Correlation-Id': `somebody-${at}`, 'User-Agent': `agent ${at}` }),
      (at) => ask(`/api/v1/predict/${encodeURIComponent(`"},x="${at}`)}`),
      (at) => method(server.origin, ['GET', 'PUT', 'PATCH', 'PROPFIND'][at % 4] as string, `/api/v1/predict/model-${at}`),
    ];
    const kindOf = (at: number) => kinds[at % kinds.length] as (typeof kinds)[number];
    for (let at = 0; at < 4 * kinds.length; at++) await kindOf(at)(at); // every series that there will be
    await scrape(); // its own series
    const { series: before } = await scrape();
    await inLanes(
      Array.from({ length: NAMES }, (_, at) => at),
      (at) => kindOf(at)(at),
    );
    const { series: after } = await scrape();
    const grown = (series: ReadonlySet<string>): ReadonlySet<string> =>
      new Set([...series].filter((each) => !/^nodejs_(gc|active)/.test(each)));
    expect([...grown(after).difference(grown(before))]).toEqual([]);
    expect((await scrape()).sum('prediction_errors_total')).toBeGreaterThan(NAMES / 2);
  }, 60_000);

  it('of a model are none before its first call', async () => {
    await server.serve('fresh', linear([[3]]));
    const named = async (): Promise<readonly string[]> => [
      ...new Set(
        (await ofModels())
          .filter((series) => series.includes('model=fresh ') || series.endsWith('model=fresh'))
          .map((series) => series.split(' ')[0] as string),
      ),
    ];
    expect(await named()).toEqual(['model_memory_bytes']);
    await ask('/api/v1/predict/fresh');
    expect(await named()).toEqual(expect.arrayContaining(['prediction_cache_answers_total', 'prediction_duration_seconds_count']));
    expect(await named()).not.toContain('prediction_failures_total');
    const { samples } = await scrape();
    const outcomes = samples.filter(({ name, labels }) => name === 'prediction_cache_answers_total' && labels['model'] === 'fresh');
    expect(outcomes.map(({ labels, value }) => [labels['outcome'], value])).toEqual([['miss', 1]]);
  });

  it('of a version go with it, those of the others stay, and a version that comes back begins at zero', async () => {
    await server.serve('twice', linear([[2]]));
    await server.serve('twice', linear([[3]]));
    for (const version of [1, 2]) for (const x of [1, 2, 3]) await server.predict(`twice?version=${version}`, { instances: [[x]] });
    await server.predict('twice?version=1', { instances: [['wrong']] });
    const versions = async () => (await scrape()).by('prediction_duration_seconds_count', 'model', 'version');
    expect(await versions()).toMatchObject({ 'twice 1': 3, 'twice 2': 3 });
    expect((await server.ask('DELETE', '/api/v1/models/twice/versions/1')).status).toBe(204);
    const left = (await ofModels()).filter((series) => series.includes('model=twice'));
    expect(left.filter((series) => series.includes('version=1'))).toEqual([]);
    expect(left.filter((series) => series.includes('version=2')).length).toBeGreaterThan(0);
    expect((await server.ask('POST', '/api/v1/models/twice/versions/1/undelete')).status).toBe(200);
    await server.predict('twice?version=1', { instances: [[1]] });
    expect(await versions()).toMatchObject({ 'twice 1': 1, 'twice 2': 3 });
    // gone and back between two scrapes: told once, and from zero again
    expect((await server.ask('DELETE', '/api/v1/models/twice/versions/1')).status).toBe(204);
    expect((await server.ask('POST', '/api/v1/models/twice/versions/1/undelete')).status).toBe(200);
    for (const x of [1, 2]) await server.predict('twice?version=1', { instances: [[x]] });
    expect(await versions()).toMatchObject({ 'twice 1': 2, 'twice 2': 3 });
  });

  it('of a model go with it', async () => {
    await server.serve('going', linear([[4]]));
    await server.predict('going', { instances: [[1]] });
    const left = async () => (await ofModels()).filter((series) => series.includes('model=going'));
    expect((await left()).length).toBeGreaterThan(0);
    expect((await server.ask('POST', '/api/v1/models/going/versions/1/promote', { stage: 'archived' })).status).toBe(200);
    expect((await server.ask('DELETE', '/api/v1/models/going')).status).toBe(204);
    expect(await left()).toEqual([]);
  });
});

function method(origin: string, verb: string, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(origin + path, { method: verb, agent: false }, (reply) => reply.resume().once('end', () => resolve()));
    sent.once('error', reject).end();
  });
}
