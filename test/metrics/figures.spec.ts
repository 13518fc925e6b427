import { containerCpuCores } from '../../src/runtime/container-cpu';
import { containerMemoryBytes } from '../../src/runtime/container-memory';
import { endlessLoop, linear, slowLoop } from '../onnx/models';
import { hostsOf, until } from '../process/processes';
import { type ServerProcess, Servers } from '../process/server-process';
import { Scrape } from './scrape';

describe('what a server tells', () => {
  const servers = new Servers();
  const scrape = (server: ServerProcess): Promise<Scrape> => Scrape.of(server.origin);
  const statusOf = async (answer: Promise<{ readonly status: number }>): Promise<number> => (await answer).status;
  afterEach(() => servers.remove());

  it('of the registry: its models and the events since it serves', async () => {
    const server = await servers.start({ EXAMPLES: 'off' });
    expect((await scrape(server)).by('registry_events_total', 'kind')).toEqual({});
    await server.serve('line', linear([[1]]));
    await server.serve('line', linear([[2]]));
    await server.serve('other', linear([[3]]));
    expect(await statusOf(server.ask('PUT', '/api/v1/models/line/aliases/champion', { version: 2 }))).toBeLessThan(300);
    expect(await statusOf(server.ask('DELETE', '/api/v1/models/line/versions/1'))).toBe(204);
    const told = await scrape(server);
    expect(told.by('registry_events_total', 'kind')).toEqual({
      'version.published': 3,
      'stage.changed': 3,
      'alias.set': 1,
      'version.deleted': 1,
    });
    expect([told.sum('registry_models'), told.sum('registry_last_event')]).toEqual([2, 9]); // the first event made the registry
    expect([told.sum('process_memory_limit_bytes'), told.sum('process_cpu_limit_cores')]).toEqual([
      containerMemoryBytes(),
      containerCpuCores(),
    ]);
    expect(told.sum('analytics_api_build_info', { node: process.versions.node })).toBe(1);
  });

  it('of versions: where they stand, whether they are in memory, and who had to leave it', async () => {
    const server = await servers.start({ EXAMPLES: 'off', MODEL_MEMORY_MB: '64', MODEL_ISOLATION: 'always' });
    const states = async () => (await scrape(server)).by('model_versions', 'stage', 'state');
    await server.serve('line', linear([[1]]));
    await server.serve('line', linear([[2]]));
    expect(await states()).toEqual({ 'production loaded': 1, 'archived unloaded': 1 });
    expect((await server.predict('line?version=1', { instances: [[1]] })).status).toBe(200);
    expect(await states()).toEqual({ 'production loaded': 1, 'archived loaded': 1 });
    const told = await scrape(server);
    expect(told.sum('model_load_duration_seconds_count')).toBe(3); // the first one left memory when the second took its place
    expect(Object.keys(told.by('model_memory_bytes', 'model', 'version')).sort()).toEqual(['line 1', 'line 2']);
    expect(told.sum('model_memory_limit_bytes')).toBe(64 * 2 ** 20);
    expect(told.sum('model_memory_bytes')).toBeLessThanOrEqual(told.sum('model_memory_limit_bytes'));
    let models = 1;
    for (; (await scrape(server)).sum('model_evictions_total') === 0; models++)
      await server.serve(`more-${models}`, linear([[10 + models]]));
    const crowded = await scrape(server);
    const { evictions, left } = {
      evictions: crowded.sum('model_evictions_total'),
      left: crowded.sum('model_versions', { state: 'loaded' }),
    };
    expect(crowded.sum('model_load_duration_seconds_count') - evictions).toBe(left + 1);
    expect(crowded.sum('model_versions')).toBe(models + 1);
    expect(await statusOf(server.ask('POST', '/v2/repository/models/line/unload'))).toBe(200);
    expect(await states()).toMatchObject({ 'production unavailable': 1, 'archived unavailable': 1 });
  }, 60_000);

  it('of engine processes: those that run, were killed and ended, and models that are locked up', async () => {
    const server = await servers.start({ EXAMPLES: 'off', ENGINE_DEADLINE_MS: '200', MODEL_ISOLATION: 'always' });
    await server.serve('endless', endlessLoop());
    await server.serve('line', linear([[2]]));
    for (const x of [1, 2, 3]) expect((await server.predict('endless', { instances: [[x]] })).body.code).toBe('ENGINE_DEADLINE_EXCEEDED');
    const told = await scrape(server);
    expect(told.sum('engine_host_kills_total')).toBe(3);
    expect(told.by('engine_host_ends_total', 'how')).toEqual({ SIGKILL: 3 });
    expect(told.sum('engine_hosts_cpu_seconds_total')).toBeGreaterThan(0.3); // most of which has ended
    expect([told.sum('engine_quarantines_total'), told.sum('engine_quarantined_models')]).toEqual([1, 1]);
    expect((await server.predict('endless', { instances: [[4]] })).body.code).toBe('MODEL_QUARANTINED');
    expect((await server.predict('line', { instances: [[4]] })).status).toBe(200);
    const after = await scrape(server);
    expect(after.sum('engine_hosts')).toBe(hostsOf(server.pid).length);
    expect(after.sum('engine_host_starts_total')).toBe(3 + after.sum('engine_hosts'));
    expect(after.sum('engine_hosts_resident_memory_bytes')).toBeGreaterThan(10 * 2 ** 20);
    await until('it is let out', async () => (await scrape(server)).sum('engine_quarantined_models') === 0);
  }, 30_000);

  it('of calls that wait, and of the runs that they become', async () => {
    const server = await servers.start({ EXAMPLES: 'off', CACHE_TTL_SECONDS: '0', ENGINE_DEADLINE_MS: '10000' });
    await server.serve('slow', slowLoop(400_000), { batching: 'off' }); // some 200 ms
    const running = [1, 2, 3, 4, 5].map((x) => server.predict('slow', { instances: [[x]] }));
    const waiting = await until('some wait', async () => {
      const told = await scrape(server);
      return told.sum('prediction_calls') === 5 && told.sum('prediction_queue_oldest_seconds') > 0.1 ? told : undefined;
    });
    const [calls, queued] = [waiting.sum('prediction_calls'), waiting.sum('prediction_queue_calls')];
    expect(queued).toBeGreaterThan(0);
    expect(queued).toBeLessThan(calls); // at least one runs
    expect(waiting.sum('prediction_input_bytes')).toBe(5 * Float32Array.BYTES_PER_ELEMENT);
    expect(waiting.sum('prediction_calls_limit')).toBe(1024);
    expect((await Promise.all(running)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    const told = await scrape(server);
    expect(['prediction_calls', 'prediction_queue_calls', 'prediction_queue_oldest_seconds'].map((name) => told.sum(name))).toEqual([
      0, 0, 0,
    ]);
    expect([told.sum('prediction_batch_rows_count'), told.sum('prediction_batch_rows_sum')]).toEqual([5, 5]);
    await server.serve('line', linear([[2]]));
    expect((await server.predict('line', { instances: [[1], [2], [3]] })).status).toBe(200);
    const rows = await scrape(server);
    expect([rows.sum('prediction_batch_rows_count'), rows.sum('prediction_batch_rows_sum')]).toEqual([6, 8]);
  }, 60_000);
});
