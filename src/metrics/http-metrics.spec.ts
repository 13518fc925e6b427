import { Exposition } from './exposition';
import { HttpMetrics } from './http-metrics';

const NAME = 'http_request_duration_seconds';

/** Figures, and what Prometheus would read there. */
function figures() {
  const exposition = new Exposition();
  const metrics = new HttpMetrics(exposition);
  const read = async (name = NAME) => (await exposition.write()).split('\n').filter((line) => line.startsWith(name));
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

  it('has buckets from half a millisecond to the deadline of a call', async () => {
    const { metrics, read } = figures();
    metrics.observe('GET', '/health', 200, 0.0004);
    metrics.observe('GET', '/health', 200, 30);
    const counts = (await read(`${NAME}_bucket`)).map((line) => [/le="([^"]+)"/.exec(line)?.[1], line.split(' ').at(-1)]);
    expect(counts.at(0)).toEqual(['0.0005', '1']);
    expect(counts.slice(-2)).toEqual([
      ['30', '2'],
      ['+Inf', '2'],
    ]);
  });

  it('counts errors by their code, and what was no request apart from them', async () => {
    const { metrics, read } = figures();
    metrics.countError('MODEL_NOT_FOUND');
    metrics.countError('MODEL_NOT_FOUND');
    metrics.countUnreadable('MALFORMED_REQUEST');
    expect(await read('http_errors_total')).toEqual(['http_errors_total{code="MODEL_NOT_FOUND"} 2']);
    expect(await read('http_unreadable_requests_total')).toEqual(['http_unreadable_requests_total{code="MALFORMED_REQUEST"} 1']);
  });
});
