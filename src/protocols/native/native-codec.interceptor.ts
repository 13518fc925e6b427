import { type CallHandler, createParamDecorator, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { Request, Response } from 'express';
import { map, type Observable } from 'rxjs';
import { HttpConfig } from '../../config/app-config';
import type { InferenceCall, InferenceResult } from '../../inference/inference-call';
import { ModelCatalog, type VersionSelector } from '../../models/serving/model-catalog';
import { modelName, versionNumber } from '../../models/model-name';
import { readJson } from '../../wire/read-json';
import { MalformedBody } from '../../wire/wire.errors';
import { encodeAnswer } from './native-answer';
import { decodeRequest } from './native-request';

const CALL = Symbol('call');

type WithCall = Request & { [CALL]?: InferenceCall };

/** The call that the codec read from the request. */
export const Call = createParamDecorator((_: unknown, context: ExecutionContext) => context.switchToHttp().getRequest<WithCall>()[CALL]);

/** From the native dialect's text to a call, and from its result to text again. */
@Injectable()
export class NativeCodecInterceptor implements NestInterceptor {
  constructor(
    private readonly catalog: ModelCatalog,
    private readonly config: HttpConfig,
  ) {}

  async intercept(context: ExecutionContext, next: CallHandler<InferenceResult>): Promise<Observable<string>> {
    const request = context.switchToHttp().getRequest<WithCall>();
    const response = context.switchToHttp().getResponse<Response>();
    const name = modelName(request.params['model'] as string, 'model');
    const selector = selectorOf(request.query);
    const body = await readJson(request, this.config);
    const startedAt = performance.now();
    const target = await this.catalog.resolve(name, selector);
    const decoded = decodeRequest(body, target.record);
    request[CALL] = { target, inputs: decoded.inputs };
    const decodeMs = performance.now() - startedAt;
    return next.handle().pipe(
      map((result) => {
        const encodeAt = performance.now();
        const answer = encodeAnswer(decoded, result, target.record, new Date());
        const text = JSON.stringify(answer.body);
        const { queueMs, inferMs } = result;
        const timing = { decode: decodeMs, queue: queueMs, infer: inferMs, encode: performance.now() - encodeAt };
        response.setHeader('Content-Type', 'application/json; charset=utf-8');
        response.setHeader('X-Cache', 'BYPASS');
        response.setHeader('X-Model-Version', String(target.record.version));
        response.setHeader('X-Model-Digest', target.record.executable);
        response.setHeader('Server-Timing', serverTiming(timing));
        if (answer.nonFinite > 0) response.setHeader('X-Non-Finite', String(answer.nonFinite));
        return text;
      }),
    );
  }
}

/** @throws MalformedBody for what is neither a version nor an alias: a slip must not be answered by another version */
function selectorOf({ version, alias, ...unknown }: Request['query']): VersionSelector {
  const [slip] = Object.keys(unknown);
  const expected = 'version or alias, or neither';
  if (slip !== undefined)
    throw new MalformedBody(`There is no query parameter "${slip.slice(0, 80)}"`, { field: slip.slice(0, 80), expected });
  if (version !== undefined && alias !== undefined)
    throw new MalformedBody('Version and alias exclude each other', { field: 'alias', expected });
  return {
    ...(version !== undefined && { version: versionNumber(single(version), 'version') }),
    ...(alias !== undefined && { alias: modelName(single(alias), 'alias') }),
  };
}

/** A parameter that comes twice is none. */
function single(value: Request['query'][string]): string {
  return typeof value === 'string' ? value : '';
}

/** https://www.w3.org/TR/server-timing/, milliseconds. */
function serverTiming(stages: Readonly<Record<string, number>>): string {
  return Object.entries(stages)
    .map(([name, ms]) => `${name};dur=${ms.toFixed(3)}`)
    .join(', ');
}
