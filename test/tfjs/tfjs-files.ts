import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { io } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { ModelSource } from '../../src/runtime/model-runtime.port';

/** The files of a model by name; `model.json` first. */
export type TfjsFiles = Readonly<Record<string, Buffer>>;

/** A `model.json` before it is written: tests make it wrong. */
export interface ModelJsonText {
  format?: unknown;
  modelTopology?: unknown;
  weightsManifest?: unknown;
  [more: string]: unknown;
}

/** As `model.save` writes it, its weights in shards of so many bytes. */
export async function layersFiles(model: LayersModel, shardBytes = 2 ** 22): Promise<TfjsFiles> {
  let saved: io.ModelArtifacts | undefined;
  await model.save({
    save: (artifacts) => {
      saved = artifacts;
      return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } });
    },
  });
  const { modelTopology, weightSpecs, weightData } = saved as io.ModelArtifacts;
  const bytes = Buffer.concat([weightData as ArrayBuffer].flat().map((each) => Buffer.from(each)));
  const shards = Array.from({ length: Math.max(1, Math.ceil(bytes.length / shardBytes)) }, (_, at) => bytes.subarray(at * shardBytes, (at + 1) * shardBytes)); // prettier-ignore
  const paths = shards.map((_, at) => `group1-shard${at + 1}of${shards.length}.bin`);
  return files({ format: 'layers-model', modelTopology, weightsManifest: [{ paths, weights: weightSpecs }] }, Object.fromEntries(paths.map((path, at) => [path, shards[at] as Buffer]))); // prettier-ignore
}

/** A constant of a graph. */
export interface Constant {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: readonly number[] | readonly string[];
  readonly dtype?: 'float32' | 'int32' | 'bool' | 'string';
}

/** A node of a graph, as GraphDef writes it in JSON. */
export interface GraphNode {
  readonly name: string;
  readonly op: string;
  readonly input?: readonly string[];
  readonly attr?: Readonly<Record<string, unknown>>;
}

const TYPES = { float32: 'DT_FLOAT', int32: 'DT_INT32', bool: 'DT_BOOL', string: 'DT_STRING' } as const;

/** An input of a graph; -1 is free. */
export function placeholder(name: string, shape: readonly number[], dtype: keyof typeof TYPES = 'float32'): GraphNode {
  return { name, op: 'Placeholder', attr: { dtype: { type: TYPES[dtype] }, shape: { shape: { dim: shape.map((size) => ({ size: String(size) })) } } } }; // prettier-ignore
}

/** As the converter writes it. */
export function graphFiles(nodes: readonly GraphNode[], constants: readonly Constant[] = [], more: ModelJsonText = {}): TfjsFiles {
  const constantNodes = constants.map(({ name, shape, dtype = 'float32' }) => ({
    name,
    op: 'Const',
    attr: { dtype: { type: TYPES[dtype] }, value: { tensor: { dtype: TYPES[dtype], tensorShape: { dim: shape.map((size) => ({ size: String(size) })) } } } }, // prettier-ignore
  }));
  const weights = constants.map(({ name, shape, dtype = 'float32' }) => ({ name, shape, dtype }));
  const bytes = Buffer.concat(constants.map(bytesOf));
  const weightsManifest = [{ paths: ['group1-shard1of1.bin'], weights }];
  return files({ format: 'graph-model', modelTopology: { node: [...constantNodes, ...nodes] }, weightsManifest, ...more }, { 'group1-shard1of1.bin': bytes }); // prettier-ignore
}

function bytesOf({ values, dtype = 'float32' }: Constant): Buffer {
  if (dtype === 'string') {
    return Buffer.concat((values as readonly string[]).flatMap((value) => [Buffer.from(Uint32Array.of(Buffer.byteLength(value)).buffer), Buffer.from(value)])); // prettier-ignore
  }
  const made = { float32: Float32Array, int32: Int32Array, bool: Uint8Array }[dtype].from(values as readonly number[]);
  return Buffer.from(made.buffer);
}

/** `model.json` and what belongs to it. */
export function files(json: ModelJsonText, others: Readonly<Record<string, Buffer>>): TfjsFiles {
  return { 'model.json': Buffer.from(JSON.stringify(json)), ...others };
}

/** The same files with another `model.json`. */
export function changed(all: TfjsFiles, change: (json: ModelJsonText) => void): TfjsFiles {
  const json = JSON.parse((all['model.json'] as Buffer).toString()) as ModelJsonText;
  change(json);
  return { ...all, 'model.json': Buffer.from(JSON.stringify(json)) };
}

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** Writes files to a folder of their own, for an engine to load; it goes with the tests. */
export function sourceOf(all: TfjsFiles): ModelSource {
  const folder = mkdtempSync(join(tmpdir(), 'tfjs-files-'));
  folders.push(folder);
  const parts = Object.entries(all).map(([name, bytes], at) => {
    const path = join(folder, String(at));
    writeFileSync(path, bytes);
    return { name, path, sha256: createHash('sha256').update(bytes).digest('hex') };
  });
  const sha256 = createHash('sha256').update(JSON.stringify(parts.map((part) => part.sha256))).digest('hex'); // prettier-ignore
  return { engine: 'tfjs', path: parts[0]?.path as string, sha256, parts };
}
