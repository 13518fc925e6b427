import {
  asBinary,
  asJson,
  type ClientDatatype,
  type ClientRequest,
  type ClientTensor,
  HEADER,
  SIZES,
} from '../../../test/open-inference/client';
import { decoded, identityVersion } from '../../../test/open-inference/identity-version';
import { Random, SEED } from '../../../test/open-inference/random';
import { randomShape, randomTensor } from '../../../test/open-inference/random-tensor';
import { AppError } from '../../errors/app-error';

const LIES = 4000;
/** What a lie may make of memory: less than the least of the large shapes that are told. */
const MAX_GROWN_BYTES = 64 * 2 ** 20;
const ODD: readonly unknown[] = [-1, -(2 ** 31), 0.5, 1e300, 2 ** 53, 2 ** 64, null, '2', [2], {}, true];
const LARGE = [2 ** 16, 2 ** 31, 2 ** 31 - 1, 2 ** 32, 2 ** 40, 2 ** 53 - 1];

interface Lie {
  readonly shape: readonly unknown[];
  readonly request: ClientRequest;
}

/** Another shape than the tensor has. */
function lieAbout(random: Random, { shape }: ClientTensor): readonly unknown[] {
  const lied: unknown[] = [...shape];
  const axis = random.below(lied.length + 1);
  const kind = random.below(4);
  if (kind === 0) lied[axis] = random.pick(ODD);
  else if (kind === 1) lied[axis] = random.pick(LARGE);
  else if (kind === 2) lied.splice(axis, 0, 2 + random.below(3));
  else lied[axis] = Number(lied[axis] ?? 1) + 1 + random.below(3);
  return lied;
}

/** The request that a tensor makes, with another shape in its JSON. */
function withShape({ body, headers }: ClientRequest, shape: readonly unknown[]): ClientRequest {
  const length = Number(headers[HEADER] ?? body.length);
  const json = Buffer.from(body.toString('utf8', 0, length).replace(/"shape":\[[^\]]*\]/, () => `"shape":${JSON.stringify(shape)}`));
  const changed = headers[HEADER] === undefined ? {} : { [HEADER]: String(json.length) };
  return { body: Buffer.concat([json, body.subarray(length)]), headers: changed };
}

const DATATYPES = Object.keys(SIZES) as readonly ClientDatatype[];

describe(`a shape that contradicts its data (SEED=${SEED})`, () => {
  const random = new Random(SEED);

  const lies = function* (): Generator<readonly [Lie, ClientTensor]> {
    for (let count = 0; count < LIES; count++) {
      const datatype = random.pick(DATATYPES);
      const tensor = randomTensor(random, datatype, randomShape(random), true);
      const shape = lieAbout(random, tensor);
      const told = datatype === 'FP16' || random.chance(2) ? asBinary('x', tensor) : asJson('x', tensor, random.chance(2));
      yield [{ shape, request: withShape(told, shape) }, tensor];
    }
  };

  /** What became of a lie: refused with its input named, or how it was believed. */
  const believed = ({ shape, request }: Lie, tensor: ClientTensor): string | undefined => {
    try {
      decoded(request, identityVersion(tensor.datatype, shape.map(() => -1))); // prettier-ignore
    } catch (error) {
      const { kind, details, message } = error as AppError;
      const told =
        error instanceof AppError && (kind === 'malformed' || kind === 'invalid') && /^(x|inputs\[0\])/.test(details.field ?? '');
      return told && details.expected !== undefined && details.actual !== undefined ? undefined : `${message} for ${JSON.stringify(shape)}`;
    }
    const product = shape.reduce<number>((length, dimension) => length * (dimension as number), 1);
    const length = tensor.shape.reduce((all, dimension) => all * dimension, 1);
    return product === length ? undefined : `${JSON.stringify(shape)} was believed of ${JSON.stringify(tensor.shape)}`;
  };

  it(`is refused, with the input and both counts named, ${LIES} times; and takes no memory`, () => {
    const before = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed;
    for (const [lie, tensor] of lies()) expect(believed(lie, tensor)).toBeUndefined();
    expect(process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed - before).toBeLessThan(MAX_GROWN_BYTES);
  });
});
