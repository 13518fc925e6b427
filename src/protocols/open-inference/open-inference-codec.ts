import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { InferenceResult } from '../../inference/inference-call';
import { modelName } from '../../models/model-name';
import type { VersionRecord } from '../../models/registry/registry-records';
import type { VersionSelector } from '../../models/serving/version-selector';
import { readEncodedBody } from '../../wire/read-body';
import { parseTensorJson, type TensorJson } from '../../wire/strict-json';
import type { DialectAnswer } from '../dialect';
import { DialectCodec } from '../dialect-codec';
import { hasLongIntegers } from '../long-integers';
import { jsonLengthOf, partsOf } from './body-parts';
import { encodeAnswer } from './infer-answer';
import { decodeRequest, type InferRequest } from './infer-request';
import { decodeRaw } from './raw-request';
import { codingFor, compressed } from './response-compression';
import { versionParameter } from './version-parameter';

interface ParsedBody {
  /** Undefined: the body is one tensor, raw. */
  readonly json?: TensorJson;
  readonly binary?: Buffer;
}

/** From the Open Inference Protocol's JSON, and the bytes behind it, to a call; and from its result to both again. */
@Injectable()
export class OpenInferenceCodec extends DialectCodec<ParsedBody, InferRequest> {
  protected targetOf({ params }: Request): { readonly model: string; readonly selector: VersionSelector } {
    return { model: modelName(params['model'] as string, 'model'), selector: versionParameter(params['version'] as string | undefined) };
  }

  /** Clients say all sorts of content types, or none: none is asked for. @throws BinaryMalformed, and as readEncodedBody */
  protected read(request: Request): Promise<Buffer> {
    const { maxJsonBytes, maxBinaryBytes, bodySeconds } = this.config;
    const maxBytes = jsonLengthOf(request) === undefined ? maxJsonBytes : maxBinaryBytes;
    return readEncodedBody(request, { maxBytes, bodySeconds });
  }

  protected parse(body: Buffer, request: Request): ParsedBody {
    const { json, binary } = partsOf(body, jsonLengthOf(request), this.config.maxJsonBytes);
    return { ...(json !== undefined && { json: parseTensorJson(json) }), ...(binary !== undefined && { binary }) };
  }

  protected decode({ json, binary }: ParsedBody, version: VersionRecord): InferRequest {
    if (json === undefined) return decodeRaw(binary as Buffer, version);
    return decodeRequest(hasLongIntegers(version.signature) ? json.exact() : json.value, binary, version);
  }

  protected encode(asked: InferRequest, result: InferenceResult, version: VersionRecord): DialectAnswer {
    return encodeAnswer(asked, result, version);
  }

  protected override finish(body: string | Buffer, request: Request, response: Response): Promise<Buffer> | string | Buffer {
    if (response.hasHeader('Vary')) response.vary('Accept-Encoding');
    else response.setHeader('Vary', 'Accept-Encoding');
    const coding = codingFor(request.headers['accept-encoding'], body.length);
    if (coding === undefined) return body;
    return compressed(Buffer.from(body), coding).then((small) => {
      response.setHeader('Content-Encoding', coding);
      return small;
    });
  }
}
