import { Injectable } from '@nestjs/common';
import { StorageConfig } from '../../config/app-config';
import type { ModelRecord, VersionRecord } from '../registry/registry-records';
import { RegistryState } from '../registry/registry-state';
import { Measurements } from '../serving/measurements';
import { ModelResidency } from '../serving/model-residency';
import { VersionFaults } from '../serving/version-faults';
import type { ModelPage } from './model-page';
import { ModelList, ModelView } from './model-view';
import { type VersionFindings, VersionView } from './version-view';

/** Shows what the registry holds together with what this machine found out about it. */
@Injectable()
export class VersionViews {
  constructor(
    private readonly state: RegistryState,
    private readonly faults: VersionFaults,
    private readonly measurements: Measurements,
    private readonly residency: ModelResidency,
    private readonly config: StorageConfig,
  ) {}

  version(record: VersionRecord): VersionView {
    return new VersionView(record, this.findings(record, this.state.find(record.model)));
  }

  model(record: ModelRecord): ModelView {
    return new ModelView(record, this.config.undeleteDays, (version) => this.findings(version, record));
  }

  list(page: ModelPage): ModelList {
    return new ModelList(page, this.config.undeleteDays);
  }

  private findings(record: VersionRecord, model: ModelRecord | undefined): VersionFindings {
    const aliases = [...(model?.aliases ?? [])].filter(([, version]) => version === record.version);
    return {
      corrupt: this.faults.isCorrupt(record),
      measured: this.measurements.of(record.executable),
      placement: this.residency.placementOf(record),
      aliases: aliases.map(([alias]) => alias),
    };
  }
}
