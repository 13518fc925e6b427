import { posix } from 'node:path';
import type { ModelPart } from '../model-runtime.port';
import { isObject, type JsonObject, listAt, nameAt, objectAt, quoted } from './json-values';
import { TfjsRefused } from './tfjs-refused';

/** One tensor of weights: what it is called, and how its bytes lie in its group. */
export interface WeightSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int32' | 'bool' | 'string';
  readonly quantization?: { readonly dtype: 'uint8' | 'uint16' | 'float16'; readonly scale?: number; readonly min?: number };
}

/** Weights whose bytes lie one after another in some files, one after another as well. */
export interface WeightGroup {
  readonly files: readonly ModelPart[];
  readonly weights: readonly WeightSpec[];
}

const MAX_RANK = 8;
const MAX_WEIGHTS = 100_000;
/** The library addresses what it computes with 32 bits. */
const MAX_ELEMENTS = 2 ** 31 - 1;
const BYTES = { float32: 4, int32: 4, bool: 1, string: 0, uint8: 1, uint16: 2, float16: 2 } as const;
const DTYPES = ['float32', 'int32', 'bool', 'string'] as const;

/**
 * @param parts the uploaded files, the one with the manifest first: paths are relative to it
 * @throws TfjsRefused where a path is none of them, or what is said of a weight cannot be
 */
export function readWeightsManifest(value: unknown, [model, ...others]: readonly ModelPart[]): readonly WeightGroup[] {
  const folder = posix.dirname(model?.name ?? '');
  const files = new Map(others.map((part) => [posix.relative(folder, part.name), part]));
  const [taken, names] = [new Set<string>(), new Set<string>()];
  return listAt(value, 'weightsManifest').map((group, at) => {
    const { paths, weights } = objectAt(group, `weightsManifest[${at}]`);
    return {
      files: listAt(paths, `weightsManifest[${at}].paths`).map((path) => fileAt(path, files, taken)),
      weights: listAt(weights, `weightsManifest[${at}].weights`).map((weight) => specOf(objectAt(weight, 'a weight'), names)),
    };
  });
}

/** How many elements a weight has. */
export function elementsOfWeight({ shape }: WeightSpec): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/** What a weight takes in memory: quantized ones are spread out. */
export function memoryOf(weight: WeightSpec): number {
  return elementsOfWeight(weight) * Math.max(1, BYTES[weight.dtype]);
}

/**
 * Holds what is declared against the bytes that are there.
 * @param shards the bytes of the files of the group, in their order
 * @throws TfjsRefused where the weights need more bytes than there are, or fewer
 */
export function refuseWrongSize({ files, weights }: WeightGroup, shards: readonly Uint8Array[]): void {
  const there = shards.reduce((sum, shard) => sum + shard.length, 0);
  let at = 0;
  for (const weight of weights) {
    const needs = weight.dtype === 'string' ? textBytes(weight, shards, at) : elementsOfWeight(weight) * storedBytes(weight);
    at += needs;
    if (at > there) {
      throw new TfjsRefused(`the weight ${quoted(weight.name)} ends at byte ${at} of ${namesOf(files)}, which has ${there}: a file is cut off, or another model's`); // prettier-ignore
    }
  }
  if (at < there) throw new TfjsRefused(`${namesOf(files)} has ${there} bytes, and the weights in it take ${at}: it is another model's`);
}

/** A path names a file that was uploaded, beside the model file or in a folder there; it is never opened as a path. */
function fileAt(path: unknown, files: ReadonlyMap<string, ModelPart>, taken: Set<string>): ModelPart {
  const name = nameAt(path, 'a path in weightsManifest');
  const plain = name.split('/').every((part) => /^[^\\:?#\p{Cc}]+$/u.test(part) && part !== '.' && part !== '..');
  if (!plain) throw new TfjsRefused(`the path ${quoted(name)} in weightsManifest is not the plain name of a file that was uploaded`);
  if (taken.has(name)) throw new TfjsRefused(`the path ${quoted(name)} is twice in weightsManifest`);
  taken.add(name);
  const file = files.get(name);
  if (file === undefined)
    throw new TfjsRefused(`the file ${quoted(name)} of weightsManifest is not among the uploaded ones: upload it with the others`);
  return file;
}

function specOf({ name: given, shape, dtype, quantization }: JsonObject, names: Set<string>): WeightSpec {
  const name = nameAt(given, 'the name of a weight');
  const title = `the weight ${quoted(name)}`;
  if (names.has(name)) throw new TfjsRefused(`${title} is there twice`);
  names.add(name);
  if (names.size > MAX_WEIGHTS) throw new TfjsRefused(`there are more than ${MAX_WEIGHTS} weights`);
  const known = DTYPES.find((each) => each === dtype);
  if (known === undefined) throw new TfjsRefused(`${title} has the datatype ${quoted(dtype)}; served are ${DTYPES.join(', ')}`);
  const spec = { name, shape: shapeOf(shape, title), dtype: known };
  return quantization === undefined || quantization === null ? spec : { ...spec, quantization: quantizationOf(quantization, spec, title) };
}

function shapeOf(shape: unknown, title: string): readonly number[] {
  const dimensions = Array.isArray(shape) ? (shape as readonly unknown[]) : [Number.NaN];
  if (dimensions.length > MAX_RANK || !dimensions.every((each) => Number.isSafeInteger(each) && (each as number) >= 0)) {
    throw new TfjsRefused(`${title} has no usable shape: whole numbers from 0 on, at most ${MAX_RANK} of them`);
  }
  const elements = (dimensions as readonly number[]).reduce((product, dimension) => product * dimension, 1);
  if (elements > MAX_ELEMENTS) throw new TfjsRefused(`${title} has the shape [${dimensions.join(', ')}], which no memory can hold`);
  return dimensions as readonly number[];
}

function quantizationOf(value: unknown, { dtype }: WeightSpec, title: string): NonNullable<WeightSpec['quantization']> {
  const { dtype: stored, scale, min } = isObject(value) ? value : {};
  if (stored === 'float16' && dtype === 'float32') return { dtype: stored };
  const affine = (stored === 'uint8' || stored === 'uint16') && (dtype === 'float32' || dtype === 'int32');
  if (affine && Number.isFinite(scale) && Number.isFinite(min)) return { dtype: stored, scale: scale as number, min: min as number };
  throw new TfjsRefused(`${title} has a quantization that cannot be undone: float16, or uint8 or uint16 with a finite scale and min`);
}

function storedBytes({ dtype, quantization }: WeightSpec): number {
  return BYTES[quantization?.dtype ?? dtype];
}

/** Texts are stored one after another, each behind its length (UInt32, little-endian). @returns more than there is where one is cut off */
function textBytes(weight: WeightSpec, shards: readonly Uint8Array[], start: number): number {
  const bytes = Buffer.concat(shards.map((shard) => Buffer.from(shard.buffer, shard.byteOffset, shard.length)));
  let at = start;
  for (let count = elementsOfWeight(weight); count > 0; count--) {
    if (at + 4 > bytes.length) return bytes.length + 4 - start;
    at += 4 + bytes.readUInt32LE(at);
  }
  return at - start;
}

function namesOf(files: readonly ModelPart[]): string {
  return files.length === 1 ? `the file ${quoted(files[0]?.name)}` : `the group of ${files.length} files at ${quoted(files[0]?.name)}`;
}
