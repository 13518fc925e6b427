import {
  asBinary,
  asJson,
  asRaw,
  type ClientDatatype,
  type ClientRequest,
  type ClientTensor,
  HEADER,
  outputsOf,
  SIZES,
} from '../../../test/open-inference/client';
import { Random, SEED } from '../../../test/open-inference/random';
import { randomShape, randomTensor } from '../../../test/open-inference/random-tensor';
import type { VersionRecord } from '../../models/registry/registry-records';
import { parseTensorJson } from '../../wire/strict-json';
import { hasLongIntegers } from '../long-integers';
import { partsOf } from './body-parts';
import { encodeAnswer } from './infer-answer';
import { decodeRequest } from './infer-request';
import { decodeRaw } from './raw-request';

const TENSORS = 10_000;
const MAX_JSON = 2 ** 20;

function identity(datatype: ClientDatatype, shape: readonly number[]): VersionRecord {
  const signature = { inputs: [{ name: 'x', datatype, shape }], outputs: [{ name: 'y', datatype, shape }] };
  return { model: 'm', version: 1, signature, manifest: { metadata: {} } } as unknown as VersionRecord;
}

/** There and back through both codecs, with a model between them that changes nothing. */
function throughCodecs({ body, headers }: ClientRequest, version: VersionRecord): ClientTensor {
  const jsonLength = headers[HEADER] === undefined ? undefined : Number(headers[HEADER]);
  const { json, binary } = partsOf(body, jsonLength, MAX_JSON);
  const parsed = json && parseTensorJson(json);
  const value = hasLongIntegers(version.signature) ? parsed?.exact() : parsed?.value;
  const asked = parsed === undefined ? decodeRaw(binary as Buffer, version) : decodeRequest(value, binary, version);
  const outputs = asked.inputs.map((input) => ({ ...input, name: 'y' }));
  const answer = encodeAnswer(asked, { outputs, queueMs: 0, inferMs: 0 }, version);
  const answered = Object.fromEntries(Object.entries(answer.headers ?? {}).map(([name, each]) => [name.toLowerCase(), each]));
  return outputsOf(answer.body as Buffer, answered).get('y') as ClientTensor;
}

const DATATYPES = Object.keys(SIZES) as readonly ClientDatatype[];
const free = (shape: readonly number[]): readonly number[] => shape.map(() => -1);

/** What changed on the way, if anything did. */
function difference(request: ClientRequest, sent: ClientTensor, shape: readonly number[]): string | undefined {
  const back = throughCodecs(request, identity(sent.datatype, shape));
  return shown(back) === shown(sent) ? undefined : `${shown(sent)} came back as ${shown(back)}`;
}

function shown({ datatype, shape, bytes }: ClientTensor): string {
  return `${datatype} [${shape.join(',')}] ${bytes.toString('latin1')}`;
}

describe(`a tensor that is sent and comes back (SEED=${SEED})`, () => {
  /** @param trial of one random tensor: what changed */
  const firstDifference = (seed: number, trial: (random: Random) => string | undefined): string | undefined => {
    const random = new Random(seed);
    for (let count = 0; count < TENSORS; count++) {
      const found = trial(random);
      if (found !== undefined) return found;
    }
    return undefined;
  };

  it.each(DATATYPES.filter((datatype) => datatype !== 'FP16'))(`is the same, bit for bit, in JSON: ${TENSORS} of %s`, (datatype) => {
    const found = firstDifference(SEED, (random) => {
      const shape = randomShape(random);
      const tensor = randomTensor(random, datatype, shape, true);
      return difference(asJson('x', tensor, false), tensor, free(shape)) ?? difference(asJson('x', tensor, true), tensor, free(shape));
    });
    expect(found).toBeUndefined();
  });

  it.each(DATATYPES)(`is the same, bit for bit, as bytes behind JSON: ${TENSORS} of %s`, (datatype) => {
    const found = firstDifference(SEED + 1, (random) => {
      const shape = randomShape(random);
      const tensor = randomTensor(random, datatype, shape, false);
      return difference(asBinary('x', tensor), tensor, free(shape));
    });
    expect(found).toBeUndefined();
  });

  it.each(DATATYPES)(`is the same, bit for bit, as bytes alone: ${TENSORS} of %s`, (datatype) => {
    const found = firstDifference(SEED + 2, (random) => {
      const shape = datatype === 'BYTES' ? [1] : [1 + random.below(4), 1 + random.below(3)];
      const tensor = randomTensor(random, datatype, shape, false);
      return difference(asRaw(tensor), tensor, [-1, ...shape.slice(1)]);
    });
    expect(found).toBeUndefined();
  });
});
