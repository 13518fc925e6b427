import { rmSync } from 'node:fs';
import { QualityConfig } from '../../src/config/app-config';
import { AnsweredCalls } from '../../src/inference/answered-calls';
import type { InferenceCall } from '../../src/inference/inference-call';
import type { VersionRecord } from '../../src/models/registry/registry-records';
import { RegistryState } from '../../src/models/registry/registry-state';
import { BaselineFiles } from '../../src/quality/baseline-files';
import type { BaselineShelf } from '../../src/quality/drift-watch';
import { FeedbackWindows } from '../../src/quality/feedback-windows';
import { InputDrift } from '../../src/quality/input-drift';
import { DerivedFiles } from '../../src/storage/derived-files';
import { LOG_START, type LogPosition } from '../../src/storage/event-log.port';
import { sealEvent } from '../../src/storage/stored-event';
import { freshFolder } from '../e2e/test-app';

/** What is known of the quality of answers, with a real registry in memory, real files, and no server. */
export class QualityHouse {
  readonly state = new RegistryState();
  readonly calls = new AnsweredCalls();
  readonly windows: FeedbackWindows;
  readonly drift: InputDrift;
  private readonly baselines: BaselineFiles;
  private readonly folder = freshFolder();
  private at: LogPosition = LOG_START;

  constructor(settings: Partial<QualityConfig> = {}) {
    const config = Object.assign(new QualityConfig(), settings);
    this.windows = new FeedbackWindows(this.state, config);
    this.baselines = new BaselineFiles(new DerivedFiles(this.folder));
    this.drift = new InputDrift(this.calls, this.state, this.baselines, config);
    this.drift.onApplicationBootstrap();
    this.happen({ kind: 'registry.created', lineage: 'of-the-test' });
  }

  happen(event: { readonly kind: string } & Readonly<Record<string, unknown>>): void {
    const { entry } = sealEvent(this.at, { ...event, actor: 'ada', correlationId: 'test-0001' }, new Date('2026-11-22T12:00:00.000Z'));
    this.at = entry.position;
    this.state.apply(entry);
  }

  /** A version 1 that takes a matrix of so many columns. */
  publish(model: string, width: number, metadata: object = {}): VersionRecord {
    const signature = {
      inputs: [{ name: 'x', datatype: 'FP64', shape: [-1, width] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 1] }],
    };
    const manifest = { files: [{ path: 'model.onnx', size: 1, sha256: 'a'.repeat(64) }], metadata };
    const digests = { digest: 'b'.repeat(64), executable: 'c'.repeat(64) };
    this.happen({ kind: 'version.published', model, version: 1, manifest, ...digests, engine: 'onnx', signature });
    return this.state.requireVersion(model, 1);
  }

  shelfOf(record: VersionRecord): BaselineShelf {
    return this.baselines.shelfOf(record);
  }

  /** A call that was answered, with rows of equal values. */
  answer(record: VersionRecord, ...values: readonly number[]): void {
    const [, width = 0] = record.signature.inputs[0]?.shape ?? [];
    const data = Float64Array.from(values.flatMap((value) => Array<number>(width).fill(value)));
    const inputs = [{ name: 'x', datatype: 'FP64', shape: [values.length, width], data }] as const;
    this.calls.listener?.({ target: { record } as InferenceCall['target'], inputs });
  }

  close(): void {
    this.drift.beforeApplicationShutdown();
    rmSync(this.folder, { recursive: true });
  }
}
