import { Injectable } from '@nestjs/common';
import { Measurements } from '../serving/measurements';
import { ModelView, type VersionFindings, VersionView } from './model-view';
import { RegistryState, type ModelRecord, type VersionRecord } from '../registry/registry-state';
import { VersionFaults } from '../serving/version-faults';

/** Shows what the registry holds together with what this machine found out about it. */
@Injectable()
export class VersionViews {
  constructor(
    private readonly state: RegistryState,
    private readonly faults: VersionFaults,
    private readonly measurements: Measurements,
  ) {}

  /** The ETag of a model. @throws ModelNotFound */
  etag(model: string): string {
    return this.state.etagOf(model);
  }

  version(record: VersionRecord): VersionView {
    return new VersionView(record, this.findings(record));
  }

  model(record: ModelRecord): ModelView {
    return new ModelView(record, (version) => this.findings(version));
  }

  private findings(record: VersionRecord): VersionFindings {
    const aliases = [...(this.state.find(record.model)?.aliases ?? [])].filter(([, version]) => version === record.version);
    return {
      corrupt: this.faults.isCorrupt(record),
      measured: this.measurements.of(record.executable),
      aliases: aliases.map(([alias]) => alias),
    };
  }
}
