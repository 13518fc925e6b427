import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { NativeLogger } from 'nestjs-pino';
import { AppModule } from './app.module';
import { KeyRing } from './auth/key-ring';
import { HttpConfig } from './config/app-config';
import { BadConfiguration } from './config/config.errors';
import { AppError } from './errors/app-error';
import { hasCode } from './errors/has-code';
import { HttpAdapter } from './http/http.adapter';
import { APPLICATION_OPTIONS, applyHttpPipeline } from './http/http-pipeline';
import { BringUp } from './models/serving/bring-up';

const EX_CONFIG = 78;

/**
 * Serves, until a signal ends it.
 * @param signals those that end it well
 * @param before what they do until the server hears them itself
 */
export async function serve(signals: readonly NodeJS.Signals[], before: () => never): Promise<void> {
  await start(signals, before).catch(fail);
}

async function start(signals: readonly NodeJS.Signals[], before: () => never): Promise<void> {
  // flushed by hand: a creation that fails would flush to Nest's own logger, as coloured text
  const app = await NestFactory.create<NestExpressApplication>(AppModule, new HttpAdapter(), {
    ...APPLICATION_OPTIONS,
    autoFlushLogs: false,
  });
  app.useLogger(app.get(NativeLogger));
  app.flushLogs();
  applyHttpPipeline(app);
  await turn(); // a signal that came while modules were loaded is heard only now
  app.enableShutdownHooks([...signals], { useProcessExit: true });
  for (const signal of signals) process.off(signal, before);
  const { host, port } = app.get(HttpConfig);
  await app.listen(port, host);
  const { port: open } = app.getHttpServer().address() as AddressInfo;
  const origin = `http://${host.includes(':') ? `[${host}]` : host}:${open}`;
  say(`analytics-api listens on ${origin}, its documentation is ${origin}/docs`);
  const example = await app.get(BringUp).finished;
  if (example === undefined) return;
  const key = app.get(KeyRing).required ? ' -H "X-API-Key: $API_KEY"' : '';
  say(`The registry was empty: the example model "${example.model}" is published and in production. Try it:\n`);
  say(`curl -s ${origin}/api/v1/predict/${example.model} -H 'Content-Type: application/json'${key} -d '${example.request}'\n`);
}

/** A start that failed: one clear line where the reason is known, everything where it is not. */
function fail(error: unknown): never {
  if (error instanceof BadConfiguration) {
    say(error.message);
    process.exit(EX_CONFIG);
  }
  if (hasCode(error, 'EADDRINUSE')) {
    const { address, port } = error as { address: string; port: number };
    say(`The port ${port} on ${address} is taken: end what uses it, or set PORT to another`);
  } else say(`The start failed: ${reasonOf(error)}`);
  process.exit(1);
}

/** What this house or the system refuses needs no stack: the message says what to mend. */
function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return String(error);
  return error instanceof AppError || 'syscall' in error ? error.message : error.stack;
}

/** For people: standard output is for the log, one JSON object a line. */
function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
