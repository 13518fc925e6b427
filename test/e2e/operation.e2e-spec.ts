import { setTimeout as sleep } from 'node:timers/promises';
import { Drainer } from '../../src/http/drainer';
import { RegistryLog } from '../../src/storage/event-log.port';
import { linear } from '../onnx/models';
import { itInProcess, TestApp } from './test-app';

let app: TestApp;
afterEach(() => app.close());

describe('probes', () => {
  it('say yes once the start has ended, and have a detail for each part', async () => {
    app = await TestApp.start();
    await app.serve('line', linear([[1]]));
    for (const probe of ['live', 'ready', 'startup']) {
      expect((await app.request().get(`/health/${probe}`).expect(200)).body).toEqual({ status: 'ok', degraded: [] });
    }
    const { body } = await app.request().get('/health').expect(200);
    expect(body).toMatchObject({
      status: 'ok',
      details: { server: { status: 'up' }, models: { serving: 1, broken: [] }, storage: { writable: true } },
    });
  });

  it('wait for the models that are required, and name them', async () => {
    app = await TestApp.start({ env: { REQUIRED_MODELS: 'iris, line' } });
    await app.serve('line', linear([[1]]));
    for (const probe of ['ready', 'startup']) {
      const { body } = await app.request().get(`/health/${probe}`).expect(503).expect('Retry-After', '1');
      expect(body).toMatchObject({ code: 'NOT_READY', checks: { models: { status: 'down', waitingFor: ['iris'] } } });
    }
    await app.request().get('/health/live').expect(200);
    await app.serve('iris', linear([[1]]));
    await app.request().get('/health/ready').expect(200);
  });

  itInProcess('stay yes where the registry takes no changes, unless that was asked', async () => {
    app = await TestApp.start();
    jest.spyOn(app.app.get(RegistryLog), 'uncertain', 'get').mockReturnValue(true); // as after a folder that the disk did not confirm
    expect((await app.request().get('/health/ready').expect(200)).body).toEqual({ status: 'degraded', degraded: ['storage'] });
    await app.request().get('/health/ready?check=write').expect(503);
  });

  itInProcess('say no from the first moment of a shutdown on, while live and predictions go on', async () => {
    app = await TestApp.start({ env: { DRAIN_SECONDS: '1' } });
    await app.serve('line', linear([[1]]));
    expect(app.app.get(Drainer).draining).toBe(false);
    // what Nest does on SIGTERM; test/process sends a real one
    const stopped = (app.app as unknown as { shutdown(signal: string): Promise<void> }).shutdown('SIGTERM');
    await sleep(50);
    await app.request().get('/health/ready').expect(503);
    await app.request().get('/health/live').expect(200).expect('Connection', 'close');
    await app.predict('line', { instances: [[1]] }).expect(200);
    await stopped;
    await expect(app.request().get('/health/live')).rejects.toThrow('ECONNREFUSED');
  });
});

describe('figures', () => {
  it('count every answer by method, route template and status, refused ones too', async () => {
    app = await TestApp.start();
    await app.serve('line', linear([[1]]));
    const before = await figures(); // the figures are the process's: other tests of this file counted too
    for (let call = 0; call < 3; call++) await app.predict('line', { instances: [[1]] }).expect(200);
    await app.predict('nobody', { instances: [[1]] }).expect(404);
    await app.request().get('/nothing/here').expect(404);
    await app.request().get('/another/nothing').expect(404);
    await sleep(20);
    const after = await figures();
    const counted = (labels: string): number => countOf(after, labels) - countOf(before, labels);
    expect(counted('method="POST",route="/api/v1/predict/:model",status="200"')).toBe(3);
    expect(counted('method="POST",route="/api/v1/predict/:model",status="404"')).toBe(1);
    expect(counted('method="GET",route="unmatched",status="404"')).toBe(2);
    expect(after).toMatch(/^process_cpu_seconds_total /m);
    expect(after).toMatch(/^nodejs_eventloop_lag_seconds /m);
    expect(after).not.toContain('nothing');
  });

  const figures = async (): Promise<string> => (await app.request().get('/metrics').expect(200)).text;
  const countOf = (text: string, labels: string): number =>
    Number(new RegExp(`^http_request_duration_seconds_count\\{${labels}\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
});
