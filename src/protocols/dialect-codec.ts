import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { addressOf } from '../auth/address';
import { callerOf } from '../auth/caller';
import { HttpConfig } from '../config/app-config';
import { CallStatistics } from '../inference/call-statistics';
import type { CachedResult, CacheOutcome, InferenceCall, InferenceResult } from '../inference/inference-call';
import { InferenceService } from '../inference/inference.service';
import { PredictionCacheInterceptor } from '../inference/prediction-cache.interceptor';
import { recordOf } from '../logging/request-record';
import type { VersionRecord } from '../models/registry/registry-records';
import { ModelCatalog } from '../models/serving/model-catalog';
import type { VersionSelector } from '../models/serving/version-selector';
import type { ServedVersion } from '../models/serving/served-version';
import { cachingOf } from './cache-control';
import { deadlineMs } from './deadline';
import type { DialectAnswer, Question } from './dialect';
import { type KnownBody, KnownBodies } from './known-bodies';

/** A body that was answered before, and is from the cache again. */
interface Repeated<Asked extends Question> extends KnownBody<Asked> {
  readonly hit: Promise<CachedResult>;
}

interface Answered<Asked> {
  readonly version: VersionRecord;
  readonly asked: Asked;
  readonly result: CachedResult;
  readonly answer: DialectAnswer;
}

/**
 * From a dialect's text to a call, and from its result to text again: the way is one for all dialects, the words are each its own. No
 * interceptor of Nest: one of them takes as long as all that is done here.
 */
@Injectable()
export abstract class DialectCodec<Parsed, Asked extends Question> {
  constructor(
    private readonly catalog: ModelCatalog,
    private readonly inference: InferenceService,
    private readonly cache: PredictionCacheInterceptor,
    private readonly statistics: CallStatistics,
    protected readonly config: HttpConfig,
  ) {}

  /** Whether equal results are told in equal words, whatever the time. */
  protected readonly timeless: boolean = true;
  private readonly known = new KnownBodies<Asked>();
  private readonly compute = (call: InferenceCall): Promise<InferenceResult> => this.inference.runValid(call);

  /** Whom the request asks. @throws InvalidName, MalformedBody */
  protected abstract targetOf(request: Request): { readonly model: string; readonly selector: VersionSelector };
  /** @throws as `wire/` does */
  protected abstract read(request: Request): Promise<Buffer>;
  /** What can be told of a body before a version is known. @throws MalformedJson, MalformedBody */
  protected abstract parse(body: Buffer, request: Request): Parsed;
  /** @throws what is wrong with a question to this version */
  protected abstract decode(parsed: Parsed, version: VersionRecord): Asked;
  /** @throws NonFiniteOutput, and what this dialect cannot say */
  protected abstract encode(asked: Asked, result: InferenceResult, version: VersionRecord): DialectAnswer;

  /** Answers a request; what it tells in the head is on the response. @throws what the dialect refuses; as ModelCatalog.resolve, PredictionCacheInterceptor.intercept */
  async answer(request: Request): Promise<string | Buffer> {
    const response = request.res as Response;
    let version: VersionRecord | undefined;
    try {
      const { model, selector } = this.targetOf(request);
      const body = await this.read(request);
      const readAt = performance.now();
      const known = this.known.find(request, body);
      const parsed = known === undefined ? this.parse(body, request) : undefined;
      const target = await this.catalog.resolve(model, selector);
      version = target.record;
      const again = known && this.askAgain(known, target, request);
      const asked = again?.asked ?? this.decode(parsed ?? this.parse(body, request), version);
      const decode = performance.now() - readAt;
      const result = await (again?.hit ?? this.cache.intercept(callOf(asked, target, request), this.compute));
      const encodeAt = performance.now();
      const kept = again?.told?.outputs === result.outputs ? again.told.answer : undefined;
      const answer = kept ?? this.encode(asked, result, version);
      const now = performance.now();
      const { queueMs, inferMs, cache } = result;
      const stages = { decode, cache: cache.ms, queue: queueMs, infer: inferMs, encode: now - encodeAt };
      writeHead(response, answer, version, cache, stages);
      this.statistics.countAnswer(version, result, { ...stages, all: now - recordOf(request).startedAt });
      if (kept === undefined && (again === undefined || this.timeless)) this.learn(request, body, { version, asked, result, answer });
      const sent = this.finish(answer.body, request, response);
      return sent instanceof Promise ? await sent : sent;
    } catch (error) {
      this.statistics.countFailure(version, error, performance.now() - recordOf(request).startedAt);
      throw error;
    }
  }

  /** For a body that was answered from the cache before: neither read nor checked again. @returns undefined where that answer is no longer there */
  private askAgain(known: KnownBody<Asked>, target: ServedVersion, request: Request): Repeated<Asked> | undefined {
    if (target.record !== known.version) return undefined;
    const hit = this.cache.recall(known.key, callOf(known.asked, target, request));
    return hit && { ...known, hit };
  }

  private learn(request: Request, body: Buffer, { version, asked, result: { cache, outputs }, answer }: Answered<Asked>): void {
    if (cache.key === undefined) return;
    this.known.remember(request, body, { version, key: cache.key, asked, ...(this.timeless && { told: { outputs, answer } }) });
  }

  /** The last word on the body that is sent: a dialect may compress it. */
  protected finish(body: string | Buffer, _request: Request, _response: Response): Promise<string | Buffer> | string | Buffer {
    return body;
  }
}

function callOf(
  { inputs, outputs, timeoutMs = Number.POSITIVE_INFINITY }: Question,
  target: ServedVersion,
  request: Request,
): InferenceCall {
  const { correlationId, traceId, startedAt } = recordOf(request);
  const expiresAt = startedAt + Math.min(timeoutMs, deadlineMs(request));
  const caller = callerOf(request).keyId ?? addressOf(request);
  const onGone = (listener: () => void): void => void request.res?.on('close', listener);
  const caching = cachingOf(request);
  const call = { target, inputs, caller, correlationId, traceId, expiresAt, onGone, ...(caching && { caching }) };
  return outputs === undefined ? call : { ...call, outputs };
}

function writeHead(
  response: Response,
  { contentType, nonFinite, headers }: DialectAnswer,
  { version, executable }: VersionRecord,
  { state, ageSeconds }: CacheOutcome,
  stages: Readonly<Record<string, number>>,
): void {
  response.setHeader('Content-Type', contentType);
  response.setHeader('X-Cache', state);
  if (ageSeconds !== undefined) response.setHeader('Age', String(ageSeconds));
  response.setHeader('X-Model-Version', String(version));
  response.setHeader('X-Model-Digest', executable);
  response.setHeader('Server-Timing', serverTiming(stages));
  if (nonFinite > 0) response.setHeader('X-Non-Finite', String(nonFinite));
  for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value);
}

/** https://www.w3.org/TR/server-timing/, milliseconds. */
function serverTiming(stages: Readonly<Record<string, number>>): string {
  let text = '';
  for (const name in stages) text += `${text === '' ? '' : ', '}${name};dur=${thousandths(stages[name] as number)}`;
  return text;
}

const SHORT: string[] = [];

/** With three digits, as most stages take less than a millisecond: those are written once. */
function thousandths(ms: number): string {
  const micros = Math.round(ms * 1000);
  return micros < 1000 && micros >= 0 ? (SHORT[micros] ??= (micros / 1000).toFixed(3)) : ms.toFixed(3);
}
