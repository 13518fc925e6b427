import { modelName, versionNumber } from '../../models/model-name';
import type { VersionSelector } from '../../models/serving/version-selector';

/** What stands where the protocol has a version: a number, or an alias of ours. None: the version in production. @throws InvalidName */
export function versionParameter(text: string | undefined): VersionSelector {
  if (text === undefined) return {};
  return /^[0-9]+$/.test(text) ? { version: versionNumber(text, 'version') } : { alias: modelName(text, 'version') };
}
