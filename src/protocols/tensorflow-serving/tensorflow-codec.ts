import { Injectable } from '@nestjs/common';
import type { Request } from 'express';
import type { InferenceResult } from '../../inference/inference-call';
import { modelName } from '../../models/model-name';
import type { VersionRecord } from '../../models/registry/registry-records';
import type { VersionSelector } from '../../models/serving/version-selector';
import { readEncodedBody } from '../../wire/read-body';
import { parseTensorJson, type TensorJson } from '../../wire/strict-json';
import type { DialectAnswer } from '../dialect';
import { DialectCodec } from '../dialect-codec';
import { hasLongIntegers } from '../long-integers';
import { encodePredict } from './predict-answer';
import { decodePredict, type Form, formOf, type PredictRequest } from './predict-request';
import { selectorOf, type Target } from './target';

interface Parsed {
  readonly form: Form;
  readonly json: TensorJson;
}

/** From TensorFlow Serving's text to a call, and from its result to text again. What the Content-Type says does not matter. */
@Injectable()
export class TensorflowCodec extends DialectCodec<Parsed, PredictRequest> {
  protected targetOf({ params }: Request): { readonly model: string; readonly selector: VersionSelector } {
    const target = params as unknown as Target;
    return { model: modelName(target.model, 'model'), selector: selectorOf(target) };
  }

  protected read(request: Request): Promise<Buffer> {
    const { maxJsonBytes, bodySeconds } = this.config;
    return readEncodedBody(request, { maxBytes: maxJsonBytes, bodySeconds });
  }

  protected parse(body: Buffer): Parsed {
    const json = parseTensorJson(body);
    return { form: formOf(json.value), json };
  }

  protected decode({ form, json }: Parsed, { signature }: VersionRecord): PredictRequest {
    return decodePredict(form, hasLongIntegers(signature) ? json.exact() : json.value, signature);
  }

  protected encode({ rows }: PredictRequest, result: InferenceResult, version: VersionRecord): DialectAnswer {
    return encodePredict(rows, result, version);
  }
}
