import {
  asBinary,
  asJson,
  asRaw,
  type ClientDatatype,
  type ClientRequest,
  type ClientTensor,
  outputsOf,
  SIZES,
} from '../../../test/open-inference/client';
import { decoded, identityVersion } from '../../../test/open-inference/identity-version';
import { Random, SEED } from '../../../test/open-inference/random';
import { randomShape, randomTensor } from '../../../test/open-inference/random-tensor';
import type { VersionRecord } from '../../models/registry/registry-records';
import { encodeAnswer } from './infer-answer';

const TENSORS = 10_000;

/** There and back through both codecs, with a model between them that changes nothing. */
function throughCodecs(request: ClientRequest, version: VersionRecord): ClientTensor {
  const asked = decoded(request, version);
  const outputs = asked.inputs.map((input) => ({ ...input, name: 'y' }));
  const answer = encodeAnswer(asked, { outputs }, version);
  const answered = Object.fromEntries(Object.entries(answer.headers ?? {}).map(([name, each]) => [name.toLowerCase(), each]));
  return outputsOf(Buffer.from(answer.body), answered).get('y') as ClientTensor;
}

const DATATYPES = Object.keys(SIZES) as readonly ClientDatatype[];
const free = (shape: readonly number[]): readonly number[] => shape.map(() => -1);

/** What changed on the way, if anything did. */
function difference(request: ClientRequest, sent: ClientTensor, shape: readonly number[]): string | undefined {
  const back = throughCodecs(request, identityVersion(sent.datatype, shape));
  const same = back.bytes.equals(sent.bytes) && back.datatype === sent.datatype && String(back.shape) === String(sent.shape);
  return same ? undefined : `${shown(sent)} came back as ${shown(back)}`;
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
