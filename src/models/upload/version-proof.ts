import { Injectable } from '@nestjs/common';
import { ModelRuntime } from '../../runtime/model-runtime.port';
import type { VersionPublished } from '../registry/registry-event';
import { RegistryJournal } from '../registry/registry-journal';
import { Measurements } from '../serving/measurements';
import { goldenTrials, refuseDeviation } from './golden';
import { digestOf, executableOf } from './manifest';
import { refuseMismatch } from './model-metadata';
import { manifestOf, sourceOf, type Upload } from './upload-reader';

/** What an upload proved to be, before it has a number. */
export type Proven = Omit<VersionPublished, 'version' | 'actor' | 'correlationId'>;

/** Has an engine look at what was uploaded, in a process of its own. */
@Injectable()
export class VersionProof {
  constructor(
    private readonly journal: RegistryJournal,
    private readonly runtime: ModelRuntime,
    private readonly measurements: Measurements,
  ) {}

  /** @throws ReadOnly, ModelRefused, ImportDeadlineExceeded, MetadataMismatch, GoldenMismatch */
  async prove(upload: Upload): Promise<Proven> {
    await this.journal.requireWritable();
    const { model, metadata } = upload;
    const golden = metadata.golden ?? [];
    const report = await this.runtime.import(sourceOf(upload), (signature) => goldenTrials(golden, signature));
    const { engine, signature, unbounded, initializerBytes, options, labels, measured } = report;
    refuseMismatch(metadata, signature);
    refuseDeviation(golden, report.trials);
    const manifest = manifestOf(upload);
    const executable = executableOf(engine, manifest.files, options);
    await this.measurements.keep(executable, measured);
    const found = { engine, options, executable, signature, unbounded, initializerBytes, ...(labels && { labels }) };
    return { kind: 'version.published', model, digest: digestOf(manifest), manifest, ...found };
  }
}
