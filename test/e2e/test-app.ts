import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Type } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { NativeLogger } from 'nestjs-pino';
import request from 'supertest';
import { AppModule } from '../../src/app.module';
import { CONFIG_GROUPS } from '../../src/config/app-config';
import { loadConfig } from '../../src/config/load-config';
import { HttpAdapter } from '../../src/http/http.adapter';
import { APPLICATION_OPTIONS, applyHttpPipeline } from '../../src/http/http-pipeline';
import { LogDestination } from '../../src/logging/root-logger';
import { BringUp } from '../../src/models/serving/bring-up';
import { ModelBlobs } from '../../src/storage/blob-store.port';
import { RegistryLog } from '../../src/storage/event-log.port';
import { MemoryBlobStore } from '../../src/storage/memory-blob.store';
import { MemoryEventLog } from '../../src/storage/memory-event.log';
import { Container, IMAGE } from '../container/engine';

/** A log line, parsed. */
export type LogLine = Readonly<Record<string, unknown>>;

/** The lines of every app of this file: nestjs-pino keeps one root logger a process. */
export const logLines: LogLine[] = [];

export interface TestAppOptions {
  /** Settings as the environment would give them. */
  readonly env?: Readonly<Record<string, string>>;
  /** Controllers of the test's own, behind the same pipeline. */
  readonly controllers?: readonly Type[];
  /** Real folders instead of memory: the registry's root. */
  readonly modelsDir?: string;
}

const IN_CONTAINERS = IMAGE !== '';

/** For what reaches into the process: left out where the application is a container (`npm run test:container`). */
export const describeInProcess = IN_CONTAINERS ? describe.skip : describe;
export const itInProcess = IN_CONTAINERS ? it.skip : it;

const WAYS = [
  { HTTP_DIRECT: 'on', MODEL_ISOLATION: 'auto' },
  { HTTP_DIRECT: 'off', MODEL_ISOLATION: 'always' },
] as const;

/**
 * For predictions: once the short way, straight to their handlers and in the server's own process; once the long way, through the router
 * and in engine processes. In a container the short way only, which is what an image does as it is.
 * @param tests are told the settings for it
 */
export function describeBothWays(name: string, tests: (way: (typeof WAYS)[number]) => void): void {
  describe.each(IN_CONTAINERS ? WAYS.slice(0, 1) : WAYS)(`${name} (HTTP_DIRECT=$HTTP_DIRECT, MODEL_ISOLATION=$MODEL_ISOLATION)`, tests);
}

/** An ONNX file, or the files of a TensorFlow.js model. */
export type Model = Buffer | Readonly<Record<string, Buffer>>;

type Engine = 'onnx' | 'tfjs';

/** As `describeBothWays`, and once more with models of TensorFlow.js in the place of those that have a twin there. */
export function describeEveryEngine(name: string, tests: (way: (typeof WAYS)[number], engine: Engine) => void): void {
  describeBothWays(name, (way) => tests(way, 'onnx'));
  if (!IN_CONTAINERS) describe(`${name} (tfjs)`, () => tests(WAYS[0], 'tfjs'));
}

/**
 * The real application behind the real pipeline, listening on a free port of loopback; without examples unless asked for. In this very
 * process, or, where E2E_IMAGE names an image, in a container of its own.
 */
export class TestApp {
  private constructor(
    readonly origin: string,
    readonly close: () => Promise<void>,
    private readonly inProcess?: NestExpressApplication,
  ) {}

  static start(options: TestAppOptions = {}): Promise<TestApp> {
    return IN_CONTAINERS ? TestApp.inContainer(options) : TestApp.inThisProcess(options);
  }

  private static async inContainer({ env = {}, modelsDir }: TestAppOptions): Promise<TestApp> {
    const container = Container.launch({ env: { EXAMPLES: 'off', DRAIN_SECONDS: '0', ...env }, modelsDir });
    await container.ready('REQUIRED_MODELS' in env ? 'live' : 'startup');
    return new TestApp(container.origin, async () => {
      const { code } = await container.stop();
      if (code !== 0) throw new Error(`the container ended with ${code}:\n${container.stderr}`);
    });
  }

  private static async inThisProcess({ env = {}, controllers = [], modelsDir }: TestAppOptions): Promise<TestApp> {
    const config = loadConfig({
      EXAMPLES: 'off',
      DRAIN_SECONDS: '0',
      MODELS_DIR: modelsDir ?? freshFolder(),
      BACKUPS_DIR: freshFolder(),
      ...env,
    });
    let builder = Test.createTestingModule({ imports: [AppModule], controllers: [...controllers] })
      .overrideProvider(LogDestination)
      .useValue({ write: (line: string) => void logLines.push(JSON.parse(line) as LogLine) });
    for (const group of CONFIG_GROUPS) builder = builder.overrideProvider(group).useValue(config.get(group));
    const blobs = new MemoryBlobStore();
    if (modelsDir === undefined) {
      builder = builder.overrideProvider(ModelBlobs).useValue(blobs);
      builder = builder.overrideProvider(RegistryLog).useValue(new MemoryEventLog());
    }
    const app = (await builder.compile()).createNestApplication<NestExpressApplication>(new HttpAdapter(), APPLICATION_OPTIONS);
    app.useLogger(app.get(NativeLogger));
    applyHttpPipeline(app);
    await app.listen(0, '127.0.0.1').catch(async (error: unknown) => {
      await app.close(); // what had begun by then would keep jest from ending
      throw error;
    });
    await app.get(BringUp).finished;
    const close = async (): Promise<void> => {
      await app.close();
      await blobs.dispose();
    };
    return new TestApp(await app.getUrl(), close, app);
  }

  /** What is behind the door. @throws where that is in a container */
  get app(): NestExpressApplication {
    if (this.inProcess === undefined) throw new Error('this application is in a container: the test is one for `itInProcess`');
    return this.inProcess;
  }

  request(): ReturnType<typeof request> {
    return request(this.origin);
  }

  /** Uploads a model: an ONNX file, or files by name. */
  upload(name: string, model: Model, fields: Readonly<Record<string, string | object>> = {}): request.Test {
    const form = this.request().post('/api/v1/models').field('name', name);
    const files = Buffer.isBuffer(model) ? { 'model.onnx': model } : model;
    for (const [file, bytes] of Object.entries(files)) void form.attach('file', bytes, file);
    for (const [field, value] of Object.entries(fields)) void form.field(field, typeof value === 'string' ? value : JSON.stringify(value));
    return form;
  }

  /** Uploads a model into production. */
  serve(name: string, model: Model, metadata: object = {}): request.Test {
    return this.upload(name, model, { metadata, stage: 'production' }).expect(201);
  }

  predict(name: string, body: object, query = ''): request.Test {
    return this.request().post(`/api/v1/predict/${name}${query}`).send(body);
  }
}

/** A folder of a test's own. */
export function freshFolder(): string {
  return mkdtempSync(join(tmpdir(), 'analytics-api-test-'));
}
