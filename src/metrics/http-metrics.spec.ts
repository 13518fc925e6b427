import { Test } from '@nestjs/testing';
import { getToken } from '@willsoto/nestjs-prometheus';
import { Histogram, Registry } from 'prom-client';
import { HTTP_DURATION, HttpMetrics } from './http-metrics';

const NAME = 'http_request_duration_seconds';

/** Figures of a registry of their own, and what Prometheus would read there. */
function figures() {
  const registry = new Registry();
  const labelNames = ['method', 'route', 'status'];
  const metrics = new HttpMetrics(new Histogram({ name: NAME, help: 'of a test', labelNames, registers: [registry], buckets: [0.1, 1] }));
  const read = async () => (await registry.metrics()).split('\n').filter((line) => line.startsWith(NAME));
  return { metrics, read };
}

describe(HttpMetrics, () => {
  it('counts an answer by method, route and status', async () => {
    const { metrics, read } = figures();
    metrics.observe('POST', '/api/v1/predict/:model', 200, 0.05);
    metrics.observe('POST', '/api/v1/predict/:model', 200, 0.5);
    metrics.observe('POST', '/api/v1/predict/:model', 429, 0.001);
    expect(await read()).toEqual(
      expect.arrayContaining([
        `${NAME}_count{method="POST",route="/api/v1/predict/:model",status="200"} 2`,
        `${NAME}_sum{method="POST",route="/api/v1/predict/:model",status="200"} 0.55`,
        `${NAME}_bucket{le="0.1",method="POST",route="/api/v1/predict/:model",status="200"} 1`,
        `${NAME}_bucket{le="1",method="POST",route="/api/v1/predict/:model",status="200"} 2`,
        `${NAME}_count{method="POST",route="/api/v1/predict/:model",status="429"} 1`,
      ]),
    );
  });

  it.each([
    ['POST', '/health', 200],
    ['GET', '/health/ready', 200],
    ['GET', '/health', 503],
    ['GET', 'unmatched', 404],
  ])('keeps %s %s %d apart from GET /health 200', async (method, route, status) => {
    const { metrics, read } = figures();
    metrics.observe('GET', '/health', 200, 0.01);
    for (let times = 0; times < 3; times++) metrics.observe(method, route, status, 0.01);
    const counts = (await read()).filter((line) => line.startsWith(`${NAME}_count`));
    expect(counts).toEqual([
      `${NAME}_count{method="GET",route="/health",status="200"} 1`,
      `${NAME}_count{method="${method}",route="${route}",status="${status}"} 3`,
    ]);
  });

  it('adds up over a thousand answers', async () => {
    const { metrics, read } = figures();
    for (let at = 0; at < 1000; at++) metrics.observe('GET', '/health', at % 4 === 0 ? 503 : 200, 0.25);
    expect(await read()).toEqual(
      expect.arrayContaining([
        `${NAME}_count{method="GET",route="/health",status="503"} 250`,
        `${NAME}_count{method="GET",route="/health",status="200"} 750`,
        `${NAME}_sum{method="GET",route="/health",status="200"} 187.5`,
      ]),
    );
  });

  it('is given its histogram by the module, with buckets from half a millisecond to the deadline of a call', async () => {
    const module = await Test.createTestingModule({ providers: [HTTP_DURATION, HttpMetrics] }).compile();
    module.get(HttpMetrics).observe('GET', '/health', 200, 0.0004);
    module.get(HttpMetrics).observe('GET', '/health', 200, 30);
    const { values } = await module.get<Histogram>(getToken(NAME)).get();
    const counts = values.filter(({ metricName }) => metricName === `${NAME}_bucket`).map(({ labels, value }) => [labels.le, value]);
    expect(counts.at(0)).toEqual([0.0005, 1]);
    expect(counts.slice(-2)).toEqual([
      [30, 2],
      ['+Inf', 2],
    ]);
    await module.close();
  });
});
