import { setTimeout as sleep } from 'node:timers/promises';
import { Controller, Get, Logger } from '@nestjs/common';
import { Public } from '../../src/auth/scope.decorator';
import { linear, slowLoop } from '../onnx/models';
import { describeBothWays, describeInProcess, type LogLine, logLines, TestApp } from './test-app';

const SPAN = /^[0-9a-f]{16}$/;

/** A caller's trace. @param n tells it from the others of this file */
function trace(n: number): { readonly traceId: string; readonly parentSpanId: string; readonly traceparent: string } {
  const traceId = n.toString(16).padStart(32, 'a');
  const parentSpanId = n.toString(16).padStart(16, 'b');
  return { traceId, parentSpanId, traceparent: `00-${traceId}-${parentSpanId}-01` };
}

let traces = 0;
const nextTrace = (): ReturnType<typeof trace> => trace(++traces);

/** The lines of a trace, once there are so many of them: the access line comes when the socket has closed the answer. */
async function linesOf(traceId: string, least = 1): Promise<readonly LogLine[]> {
  for (let attempt = 0; ; attempt++) {
    const lines = logLines.filter((line) => line['traceId'] === traceId);
    if (lines.length >= least || attempt === 100) return lines;
    await sleep(10);
  }
}

@Controller('traced')
class TalkingController {
  private readonly logger = new Logger('probe');

  @Get('talks')
  @Public()
  async talks(): Promise<string> {
    this.logger.log('before');
    await sleep(1);
    this.logger.warn('after');
    return 'said';
  }

  @Get('throws')
  @Public()
  async throws(): Promise<void> {
    await sleep(1);
    throw new Error('the handler broke');
  }
}

const ASKED = [
  ['the native dialect', '/api/v1/predict/line', { instances: [[1]] }],
  ['Open Inference', '/v2/models/line/infer', { inputs: [{ name: 'x', shape: [1, 1], datatype: 'FP32', data: [1] }] }],
  ['TensorFlow Serving', '/v1/models/line:predict', { instances: [[1]] }],
] as const;

describeInProcess('a trace', () => {
  describeBothWays('of a prediction', (way) => {
    let app: TestApp;
    beforeAll(async () => {
      app = await TestApp.start({ env: way });
      await app.serve('line', linear([[1]]));
    });
    afterAll(() => app.close());

    it.each(ASKED)('is on its line with a span of its own, computed and from the cache alike: %s', async (_, path, body) => {
      const spans = new Set<unknown>();
      for (const cached of [false, true]) {
        const { traceId, parentSpanId, traceparent } = nextTrace();
        const { headers } = await app.request().post(path).set('traceparent', traceparent).send(body).expect(200);
        if (cached) expect(headers['x-cache']).toBe('HIT');
        expect(headers).not.toHaveProperty('traceparent');
        const [line, ...others] = await linesOf(traceId);
        expect(others).toEqual([]);
        expect(line).toMatchObject({ msg: 'request', status: 200, model: 'line', parentSpanId, spanId: expect.stringMatching(SPAN) });
        spans.add(line?.['spanId']);
      }
      expect(spans.size).toBe(2);
    });

    it.each(ASKED)('is on its line where it is refused: %s', async (_, path) => {
      const { traceId, parentSpanId, traceparent } = nextTrace();
      await app.request().post(path).set('traceparent', traceparent).send({ nonsense: 1 }).expect(400);
      expect(await linesOf(traceId)).toMatchObject([{ msg: 'request', status: 400, code: expect.any(String), parentSpanId }]);
    });

    it('stays that of each caller in one batch', async () => {
      const all = Array.from({ length: 40 }, nextTrace);
      const ask = (body: object, traceparent: string) =>
        app
          .predict('line', body)
          .set('traceparent', traceparent)
          .set('X-Correlation-Id', `of-${traceparent.slice(3, 35)}`)
          .expect(200);
      await Promise.all(all.map(({ traceparent }, at) => ask({ instances: [[at + 1000]] }, traceparent)));
      for (const { traceId, parentSpanId } of all) {
        expect(await linesOf(traceId)).toMatchObject([{ correlationId: `of-${traceId}`, parentSpanId, status: 200 }]);
      }
    });

    it('is not begun where none came, and is another one where what came cannot be read', async () => {
      for (const [id, traceparent] of [['untraced-call'], ['broken-trace-call', '00-none-none-01']] as const) {
        const asked = app.predict('line', { instances: [[1]] }).set('X-Correlation-Id', id);
        await (traceparent === undefined ? asked : asked.set('traceparent', traceparent)).expect(200);
        await sleep(20);
        const line = logLines.find(({ correlationId }) => correlationId === id);
        expect(line).toMatchObject({ msg: 'request' });
        expect([line?.['traceId'], line?.['spanId'], line?.['parentSpanId']]).toEqual(
          traceparent === undefined
            ? Array(3).fill(undefined)
            : [expect.stringMatching(/^[0-9a-f]{32}$/), expect.stringMatching(SPAN), undefined],
        );
      }
    });
  });

  describe('of any request', () => {
    let app: TestApp;
    beforeAll(async () => {
      app = await TestApp.start({ controllers: [TalkingController], env: { API_KEY: 'k'.repeat(32), MODEL_ISOLATION: 'always' } });
    });
    afterAll(() => app.close());

    it('is on every line of it, with one span', async () => {
      const { traceId, traceparent } = nextTrace();
      await app.request().get('/traced/talks').set('traceparent', traceparent).set('tracestate', 'vendor=value').expect(200);
      const lines = await linesOf(traceId, 3);
      expect(lines.map(({ msg }) => msg)).toEqual(['before', 'after', 'request']);
      expect(new Set(lines.map(({ spanId }) => spanId)).size).toBe(1);
    });

    it.each([
      ['that nobody answers', 'GET', '/nowhere', 404, ['request']],
      ['without a key', 'GET', '/api/v1/models', 401, ['request']],
      ['whose handler throws', 'GET', '/traced/throws', 500, ['request failed', 'request']],
      ['whose path is no UTF-8', 'GET', '/api/v1/models/%ff', 400, ['request']],
    ] as const)('is on every line of one %s', async (_, _method, path, status, messages) => {
      const { traceId, traceparent } = nextTrace();
      await app.request().get(path).set('traceparent', traceparent).expect(status);
      const lines = await linesOf(traceId, messages.length);
      expect(lines.map(({ msg }) => msg)).toEqual(messages);
      expect(new Set(lines.map(({ spanId }) => spanId)).size).toBe(1);
    });

    it('is named where the engine failed its run, and the end of the engine process is nobody’s', async () => {
      const key = { 'X-API-Key': 'k'.repeat(32) };
      const upload = nextTrace();
      await app.serve('slow', slowLoop(100_000_000), { deadlineMs: 100 }).set(key).set('traceparent', upload.traceparent);
      const { traceId, traceparent } = nextTrace();
      const before = logLines.length;
      await app
        .predict('slow', { instances: [[1e9]] })
        .set(key)
        .set('traceparent', traceparent)
        .set('X-Correlation-Id', 'slow-caller')
        .expect(504);
      expect((await linesOf(traceId)).map(({ msg }) => msg)).toContain('request');
      const lines = logLines.slice(before);
      expect(lines.find(({ msg }) => msg === 'engine run failed')).toMatchObject({ ids: ['slow-caller'], traceIds: [traceId] });
      const ended = lines.find(({ msg }) => msg === 'engine host ended');
      expect([ended?.['msg'], ended?.['correlationId'], ended?.['traceId']]).toEqual(['engine host ended', undefined, undefined]);
    });
  });
});
