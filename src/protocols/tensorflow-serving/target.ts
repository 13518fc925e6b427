import { modelName, versionNumber } from '../../models/model-name';
import type { VersionSelector } from '../../models/serving/version-selector';

/** What a path names: a model, and perhaps a version of it or a label, which is an alias. */
export interface Target {
  readonly model: string;
  readonly version?: string;
  readonly label?: string;
}

/** Which version a path means. @throws InvalidName */
export function selectorOf({ version, label }: Omit<Target, 'model'>): VersionSelector {
  if (version !== undefined) return { version: versionNumber(version, 'version') };
  return label === undefined ? {} : { alias: modelName(label, 'label') };
}
