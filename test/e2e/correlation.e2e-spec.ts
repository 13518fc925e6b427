import {
  Body,
  type CanActivate,
  Controller,
  Get,
  Injectable,
  Logger,
  Param,
  ParseIntPipe,
  Post,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { Public } from '../../src/auth/scope.decorator';
import { CorrelationContext } from '../../src/logging/correlation-context';
import { ModelNotFound } from '../../src/models/models.errors';
import { JsonBodyInterceptor } from '../../src/wire/json-body.interceptor';
import { linear } from '../onnx/models';
import { describeInProcess, type LogLine, logLines, TestApp } from './test-app';

@Injectable()
class TalkingGuard implements CanActivate {
  private readonly logger = new Logger('probe');
  canActivate(): boolean {
    this.logger.log('guard');
    return true;
  }
}

@Injectable()
class RefusingGuard implements CanActivate {
  private readonly logger = new Logger('probe');
  canActivate(): boolean {
    this.logger.log('refusing guard');
    throw new ModelNotFound('secret');
  }
}

@Controller('probe')
class ProbeController {
  private readonly logger = new Logger('probe');

  @Get('fine')
  @Public()
  @UseGuards(TalkingGuard)
  async fine(): Promise<string> {
    await turn();
    this.logger.log('handler');
    return CorrelationContext.current?.correlationId ?? 'none';
  }

  @Get('throws')
  @Public()
  async throws(): Promise<void> {
    await turn();
    throw new Error('the handler broke');
  }

  @Get('pipe/:number')
  @Public()
  pipe(@Param('number', ParseIntPipe) number: number): number {
    return number;
  }

  @Get('refused')
  @Public()
  @UseGuards(RefusingGuard)
  refused(): string {
    return 'never';
  }

  @Post('json')
  @Public()
  @UseInterceptors(JsonBodyInterceptor)
  json(@Body() body: object): object {
    return body;
  }
}

const linesOf = (id: string): readonly LogLine[] => logLines.filter(({ correlationId }) => correlationId === id);
const settled = () => new Promise((resolve) => setTimeout(resolve, 20)); // the access line is written when the socket has closed the answer

describeInProcess('the correlation id', () => {
  let app: TestApp;

  beforeAll(async () => {
    app = await TestApp.start({ controllers: [ProbeController] });
    await app.serve('line', linear([[1]]));
  });
  afterAll(() => app.close());

  it('is the same in guard, handler, header and access line', async () => {
    const { text } = await app
      .request()
      .get('/probe/fine')
      .set('X-Correlation-Id', 'caller-fine')
      .expect('X-Correlation-Id', 'caller-fine')
      .expect(200);
    expect(text).toBe('caller-fine');
    await settled();
    expect(linesOf('caller-fine').map(({ msg }) => msg)).toEqual(['guard', 'handler', 'request']);
  });

  it.each([
    ['a handler that throws', 'GET', '/probe/throws', 500, 'INTERNAL', '/probe/throws'],
    ['a pipe that throws', 'GET', '/probe/pipe/x', 400, 'MALFORMED_REQUEST', '/probe/pipe/:number'],
    ['a guard that throws', 'GET', '/probe/refused', 404, 'MODEL_NOT_FOUND', '/probe/refused'],
    ['a path that nothing is under', 'GET', '/probe/nothing', 404, 'ROUTE_NOT_FOUND', 'unmatched'],
    ['a path that is no UTF-8', 'GET', '/probe/pipe/%ff', 400, 'MALFORMED_REQUEST', 'unmatched'],
    ['a body that is no JSON', 'POST', '/probe/json', 400, 'MALFORMED_JSON', '/probe/json'],
    ['a prediction that is refused', 'POST', '/api/v1/predict/nobody', 400, 'MALFORMED_JSON', '/api/v1/predict/:model'],
  ])('reaches header, error body and access line for %s', async (title, method, path, status, code, route) => {
    const id = `case-${title.replaceAll(/\W/g, '-')}`;
    const call = method === 'GET' ? app.request().get(path) : app.request().post(path).set('Content-Type', 'application/json').send('{bad');
    const { body } = await call
      .set('X-Correlation-Id', id)
      .expect(status)
      .expect('X-Correlation-Id', id)
      .expect('Content-Type', 'application/problem+json');
    expect(body).toMatchObject({ status, code, correlationId: id });
    await settled();
    expect(linesOf(id).at(-1)).toMatchObject({ msg: 'request', status, code, route });
  });

  it('is made where none came, or where one came that could do harm', async () => {
    for (const offered of ['short', 'x'.repeat(65), 'has space', '{"json":1}']) {
      const { headers } = await app.request().get('/health/live').set('X-Correlation-Id', offered).expect(200);
      expect(headers['x-correlation-id']).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  it('carries the trace id of a traceparent into every line', async () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    await app.request().get('/probe/fine').set('X-Correlation-Id', 'caller-traced').set('traceparent', traceparent).expect(200);
    await settled();
    expect(linesOf('caller-traced').map(({ traceId }) => traceId)).toEqual(
      Array.from({ length: 3 }, () => '4bf92f3577b34da6a3ce929d0e0e4736'),
    );
  });

  it('never leaks from one request into another while many run at once', async () => {
    const ids = Array.from({ length: 50 }, (_, at) => `caller-many-${at}`);
    const answers = await Promise.all(ids.map((id) => app.request().get('/probe/fine').set('X-Correlation-Id', id)));
    expect(answers.map(({ text }) => text)).toEqual(ids);
  });

  it('names route and model of a prediction on its access line', async () => {
    await app
      .predict('line', { instances: [[1]] })
      .set('X-Correlation-Id', 'caller-predicts')
      .expect(200);
    await settled();
    expect(linesOf('caller-predicts').at(-1)).toMatchObject({
      msg: 'request',
      route: '/api/v1/predict/:model',
      model: 'line',
      status: 200,
    });
  });

  it('is kept in the events that a request wrote', async () => {
    await app
      .upload('noted', linear([[2]]))
      .set('X-Correlation-Id', 'caller-uploads')
      .expect(201);
    expect(linesOf('caller-uploads').map(({ msg, kind }) => kind ?? msg)).toContain('version.published');
  });

  it('is there for a job as well', () => {
    CorrelationContext.run({ correlationId: 'job-nightly' }, () => new Logger('job').log('job done', { blobs: 3 }));
    expect(linesOf('job-nightly')).toMatchObject([{ msg: 'job done', blobs: 3, context: 'job' }]);
  });

  it('tells a caller who went away first as 499', async () => {
    const { hostname, port } = new URL(app.origin);
    const socket = connect(Number(port), hostname);
    socket.write('POST /api/v1/predict/line HTTP/1.1\r\nHost: localhost\r\nX-Correlation-Id: caller-gone\r\n');
    socket.write('Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"inst');
    setTimeout(() => socket.destroy(), 30);
    await once(socket, 'close');
    await settled();
    expect(linesOf('caller-gone').at(-1)).toMatchObject({ msg: 'request', status: 499 });
  });
});
