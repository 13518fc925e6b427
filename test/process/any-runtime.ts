import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ModelsConfig, RuntimeConfig } from '../../src/config/app-config';
import { Measurements } from '../../src/models/serving/measurements';
import { ModelResidency } from '../../src/models/serving/model-residency';
import {
  type ImportReport,
  type LoadedModel,
  type Measured,
  type ModelFile,
  ModelRuntime,
  type Placement,
  type PlacementFacts,
} from '../../src/runtime/model-runtime.port';
import type { BlobStore } from '../../src/storage/blob-store.port';
import { DerivedFiles } from '../../src/storage/derived-files';

export const MEASURED: Measured = {
  machine: 'any',
  loadMs: 1,
  memoryBytes: 1,
  curve: [],
  bestBatch: 1,
  batchable: false,
  exactInBatches: false,
  repeatable: false,
};

export const REPORT: ImportReport = {
  engine: 'onnx',
  signature: { inputs: [], outputs: [] },
  unbounded: [],
  initializerBytes: 0,
  options: {},
  measured: MEASURED,
  trials: [],
};

/** Takes every file for a model that does nothing. */
export class AnyRuntime extends ModelRuntime {
  readonly machine = 'any';

  async import(_file: ModelFile): Promise<ImportReport> {
    return REPORT;
  }

  place(_facts: PlacementFacts): Placement {
    return { why: ['it is none'] };
  }

  async load(_file: ModelFile): Promise<LoadedModel> {
    return { run: async () => ({ outputs: [], inferMs: 0 }), unload: async () => {} };
  }
}

/** What a catalog loads from, with settings of its own. */
export function residencyOver(
  runtime: ModelRuntime,
  blobs: BlobStore,
  settings: { readonly modelMemoryMb?: string; readonly required?: readonly string[]; readonly derived?: string | undefined } = {},
) {
  const { modelMemoryMb = 'auto', required = [], derived = mkdtempSync(join(tmpdir(), 'analytics-api-derived-')) } = settings;
  const measurements = new Measurements(new DerivedFiles(derived), runtime);
  const config = Object.assign(new RuntimeConfig(), { modelMemoryMb });
  const residency = new ModelResidency(runtime, blobs, measurements, config, Object.assign(new ModelsConfig(), { required }));
  return { measurements, residency };
}
