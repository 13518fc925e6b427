import type { VersionRecord } from '../../src/models/registry/registry-records';
import type { InferRequest } from '../../src/protocols/open-inference/infer-request';
import { partsOf } from '../../src/protocols/open-inference/body-parts';
import { decodeRaw } from '../../src/protocols/open-inference/raw-request';
import { decodeRequest } from '../../src/protocols/open-inference/infer-request';
import { hasLongIntegers } from '../../src/protocols/long-integers';
import { parseTensorJson } from '../../src/wire/strict-json';
import { type ClientDatatype, type ClientRequest, HEADER } from './client';

const MAX_JSON = 2 ** 20;

/** What the codecs must know of a model that gives back x as y. */
export function identityVersion(datatype: ClientDatatype, shape: readonly number[]): VersionRecord {
  const signature = { inputs: [{ name: 'x', datatype, shape }], outputs: [{ name: 'y', datatype, shape }] };
  return { model: 'm', version: 1, signature, manifest: { metadata: {} } } as unknown as VersionRecord;
}

/** A request as the server decodes it, once its headers are read. */
export function decoded({ body, headers }: ClientRequest, version: VersionRecord): InferRequest {
  const { json, binary } = partsOf(body, headers[HEADER] === undefined ? undefined : Number(headers[HEADER]), MAX_JSON);
  if (json === undefined) return decodeRaw(binary as Buffer, version);
  const parsed = parseTensorJson(json);
  return decodeRequest(hasLongIntegers(version.signature) ? parsed.exact() : parsed.value, binary, version);
}
