import { Controller, Get, Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { Public } from '../../src/auth/scope.decorator';
import { describeInProcess, type LogLine, logLines, TestApp } from './test-app';

@Controller('talks')
class TalkingController {
  private readonly logger = new Logger('talker');

  @Get()
  @Public()
  talk(): string {
    for (const level of ['verbose', 'debug', 'log', 'warn', 'error', 'fatal'] as const) this.logger[level](`said by ${level}`);
    return 'said';
  }
}

const KEY = 'an-admin-key-of-this-test';

describeInProcess('the log level', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await TestApp.start({ controllers: [TalkingController], env: { API_KEY: KEY } });
  });
  afterEach(() => put({ level: 'info' }).expect(200));
  afterAll(() => app.close());

  const put = (body: object) => app.request().put('/api/v1/log-level').set('X-API-Key', KEY).send(body);
  const get = () => app.request().get('/api/v1/log-level').set('X-API-Key', KEY);

  /** What is written of a request that logs once at every level. */
  async function said(): Promise<readonly string[]> {
    const before = logLines.length;
    await app.request().get('/talks').expect(200);
    await sleep(20); // the access line is written when the socket has closed the answer
    return logLines.slice(before).map((line: LogLine) => String(line['msg']));
  }
  const VERBOSE = ['said by verbose', 'said by debug', 'said by log', 'said by warn', 'said by error', 'said by fatal'];

  it('is that of the setting until it is changed', async () => {
    const { body } = await get().expect(200);
    expect(body).toEqual({ level: 'info', setting: 'info', until: null });
  });

  it.each([
    ['trace', [...VERBOSE, 'request']],
    ['debug', [...VERBOSE.slice(1), 'request']],
    ['info', [...VERBOSE.slice(2), 'request']],
    ['warn', VERBOSE.slice(3)],
    ['error', VERBOSE.slice(4)],
    ['fatal', VERBOSE.slice(5)],
    ['silent', []],
  ])('%s is in force at once, for access lines too', async (level, expected) => {
    const { body } = await put({ level }).expect(200);
    expect(body).toEqual({ level, setting: 'info', until: null });
    await sleep(20);
    expect(await said()).toEqual(expected);
  });

  it('goes back to the setting by itself', async () => {
    const asked = Date.now();
    const { body } = await put({ level: 'error', forSeconds: 1 }).expect(200);
    expect(Math.abs(Date.parse(body.until) - asked - 1000)).toBeLessThan(500);
    expect(await said()).toEqual(VERBOSE.slice(4));
    const deadline = performance.now() + 5000;
    while ((await get()).body.level !== 'info' && performance.now() < deadline) await sleep(50);
    expect((await get()).body).toEqual({ level: 'info', setting: 'info', until: null });
    expect(await said()).toEqual([...VERBOSE.slice(2), 'request']);
    expect(logLines.findLast(({ msg }) => msg === 'log level changed')).toMatchObject({ from: 'error', to: 'info', actor: 'system' });
  });

  it('has one time to go back: that of the last change', async () => {
    await put({ level: 'debug', forSeconds: 1 }).expect(200);
    await put({ level: 'warn' }).expect(200);
    await sleep(1200);
    expect((await get()).body).toEqual({ level: 'warn', setting: 'info', until: null });
  });

  it('is never changed unseen, not even to silence', async () => {
    await put({ level: 'silent', forSeconds: 60 }).set('X-Correlation-Id', 'who-silences').expect(200);
    const line = logLines.findLast(({ msg }) => msg === 'log level changed');
    expect(line).toMatchObject({ level: 'info', from: 'info', to: 'silent', forSeconds: 60, correlationId: 'who-silences' });
    expect(line?.['actor']).toMatch(/^key:/);
    await put({ level: 'fatal' }).set('X-Correlation-Id', 'who-speaks').expect(200);
    expect(logLines.findLast(({ msg }) => msg === 'log level changed')).toMatchObject({ from: 'silent', to: 'fatal' });
  });

  it.each([
    [{}, 'body.level'],
    [{ level: 'loud' }, 'body.level'],
    [{ level: 3 }, 'body.level'],
    [{ level: 'INFO' }, 'body.level'],
    [{ level: 'debug', forSeconds: 0 }, 'body.forSeconds'],
    [{ level: 'debug', forSeconds: 1.5 }, 'body.forSeconds'],
    [{ level: 'debug', forSeconds: 86_401 }, 'body.forSeconds'],
    [{ level: 'debug', forSeconds: '60' }, 'body.forSeconds'],
    [{ level: 'debug', forMinutes: 1 }, 'body.forMinutes'],
  ])('refuses %j and stays what it is', async (wrong, field) => {
    const { body } = await put(wrong).expect(400);
    expect(body).toMatchObject({ code: 'MALFORMED_BODY', field });
    expect((await get()).body.level).toBe('info');
  });
});
