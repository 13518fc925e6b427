import { ApiProperty } from '@nestjs/swagger';
import type { Measured, Placement } from '../../runtime/model-runtime.port';
import type { Signature } from '../../runtime/tensor';
import { type Stage, STAGES } from '../registry/registry-event';
import type { VersionRecord } from '../registry/registry-records';
import type { Manifest } from '../upload/manifest';
import { batchRows } from '../serving/batch-rows';

const EXAMPLE_DIGEST = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';
const EXAMPLE_SIGNATURE: Signature = {
  inputs: [{ name: 'features', datatype: 'FP32', shape: [-1, 4] }],
  outputs: [
    { name: 'label', datatype: 'INT64', shape: [-1] },
    { name: 'probabilities', datatype: 'FP32', shape: [-1, 3] },
  ],
};

const EXAMPLE_MEASURED: Measured = {
  machine: 'onnxruntime 1.30.0, tfjs 4.22.0 on AMD EPYC 7763 64-Core Processor',
  loadMs: 1.2,
  memoryBytes: 204_800,
  curve: [
    { rows: 1, micros: 11.2 },
    { rows: 32, micros: 15.9 },
  ],
  bestBatch: 32,
  batchable: true,
  exactInBatches: true,
  repeatable: true,
};

/** What this machine found out about a version. */
export interface VersionFindings {
  readonly corrupt: boolean;
  readonly measured: Measured | undefined;
  readonly placement: Placement;
  /** Names that point at it. */
  readonly aliases: readonly string[];
}

/** A version as the API shows it. */
export class VersionView {
  @ApiProperty({ example: 'iris' })
  readonly model!: string;

  @ApiProperty({ example: 1 })
  readonly version!: number;

  @ApiProperty({ enum: STAGES, example: 'production' })
  readonly stage!: Stage;

  @ApiProperty({ example: ['champion'], type: [String], description: 'Names that point at it' })
  readonly aliases!: readonly string[];

  @ApiProperty({ example: EXAMPLE_DIGEST, description: 'SHA-256 of the manifest' })
  readonly digest!: string;

  @ApiProperty({ example: EXAMPLE_DIGEST, description: 'What really computes; `X-Model-Digest` of its predictions' })
  readonly executable!: string;

  @ApiProperty({ example: 'onnx' })
  readonly engine!: string;

  @ApiProperty({
    example: null,
    type: String,
    nullable: true,
    description: 'What TensorFlow.js computes it with on this machine: wasm, tfjs-node or cpu; null: not measured yet, or ONNX',
  })
  readonly backend!: string | null;

  @ApiProperty({ example: EXAMPLE_SIGNATURE, type: Object, description: 'Inputs and outputs; -1: free dimension' })
  readonly signature!: Signature;

  @ApiProperty({ example: {}, type: Object, description: 'What is done to the file before the engine gets it: `zipMap: cut off`' })
  readonly options!: Readonly<Record<string, string>>;

  @ApiProperty({
    type: [Object],
    nullable: true,
    example: null,
    description: 'The classes that the model itself names, in the order of its columns',
  })
  readonly ownLabels!: readonly (string | number)[] | null;

  @ApiProperty({
    example: { engine: 'inline', bounded: true, why: [], initializerBytes: 72 },
    type: Object,
    description:
      '`inline`: cheap runs are made in the server’s own process; `host`: all runs in an engine process, and why. `bounded`: whether what a run takes depends on the shapes of its inputs alone',
  })
  readonly placement!: {
    readonly engine: 'inline' | 'host';
    readonly bounded: boolean;
    readonly why: readonly string[];
    readonly initializerBytes: number | null;
  };

  @ApiProperty({
    example: EXAMPLE_MEASURED,
    type: Object,
    nullable: true,
    description: 'What it costs on this machine; null: not measured yet',
  })
  readonly measured!: Measured | null;

  @ApiProperty({
    example: 32,
    description: 'How many rows calls that come together become one run of, at most; 1: each call runs by itself',
  })
  readonly batchRows!: number;

  @ApiProperty({
    example: true,
    type: Boolean,
    nullable: true,
    description: 'Whether a row gets the same bits in such a run as alone; null: not measured yet',
  })
  readonly batchInvariant!: boolean | null;

  @ApiProperty({ example: [{ path: 'model.onnx', size: 636, sha256: EXAMPLE_DIGEST }], type: [Object] })
  readonly files!: Manifest['files'];

  @ApiProperty({ example: { task: 'classification', labels: ['setosa', 'versicolor', 'virginica'] }, type: Object })
  readonly metadata!: Manifest['metadata'];

  @ApiProperty({ example: '2026-11-22T12:00:00.000Z' })
  readonly publishedAt!: string;

  @ApiProperty({ example: false, description: 'Whether its stored file is known to be lost or damaged; uploading it again heals it' })
  readonly corrupt!: boolean;

  @ApiProperty({ example: 'anonymous' })
  readonly publishedBy!: string;

  constructor({ manifest: { files, metadata }, ...record }: VersionRecord, { corrupt, measured, placement, aliases }: VersionFindings) {
    const { model, version, stage, digest, executable, engine, signature, publishedAt, publishedBy } = record;
    const { options = {}, labels = null, initializerBytes = null, unbounded } = record;
    const { why } = placement;
    Object.assign(this, {
      model,
      version,
      stage,
      aliases,
      digest,
      executable,
      engine,
      backend: measured?.backend ?? null,
      signature,
      options,
      ownLabels: labels,
      placement: { engine: why.length === 0 ? 'inline' : 'host', bounded: unbounded?.length === 0, why, initializerBytes },
      measured: measured ?? null,
      batchRows: batchRows(metadata, measured),
      batchInvariant: measured?.exactInBatches ?? null,
      files,
      metadata,
      publishedAt,
      publishedBy,
      corrupt,
    });
  }
}
