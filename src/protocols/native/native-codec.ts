import { Injectable } from '@nestjs/common';
import type { Request } from 'express';
import type { InferenceResult } from '../../inference/inference-call';
import type { VersionRecord } from '../../models/registry/registry-records';
import type { VersionSelector } from '../../models/serving/version-selector';
import { modelName, versionNumber } from '../../models/model-name';
import { readJsonText } from '../../wire/read-json';
import { parseTensorJson, type TensorJson } from '../../wire/strict-json';
import { MalformedBody } from '../../wire/wire.errors';
import type { DialectAnswer } from '../dialect';
import { DialectCodec } from '../dialect-codec';
import { hasLongIntegers } from '../long-integers';
import { encodeAnswer } from './native-answer';
import { decodeRequest, type NativeRequest } from './native-request';

/** From the native dialect's text to a call, and from its result to text again. */
@Injectable()
export class NativeCodec extends DialectCodec<TensorJson, NativeRequest> {
  /** Its answers tell the time. */
  protected override readonly timeless = false;

  protected targetOf({ params, query }: Request): { readonly model: string; readonly selector: VersionSelector } {
    return { model: modelName(params['model'] as string, 'model'), selector: selectorOf(query) };
  }

  protected read(request: Request): Promise<Buffer> {
    return readJsonText(request, this.config);
  }

  protected parse(body: Buffer): TensorJson {
    return parseTensorJson(body);
  }

  protected decode(json: TensorJson, version: VersionRecord): NativeRequest {
    return decodeRequest(hasLongIntegers(version.signature) ? json.exact() : json.value, version);
  }

  protected encode(asked: NativeRequest, result: InferenceResult, version: VersionRecord): DialectAnswer {
    const { body, nonFinite } = encodeAnswer(asked, result, version, new Date());
    return { body: JSON.stringify(body), contentType: 'application/json; charset=utf-8', nonFinite };
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
