import { modelName } from '../../models/model-name';
import type { VersionSelector } from '../../models/serving/model-catalog';

/** Which version a path asks for: digits are a number, anything else an alias, nothing the one in production. @throws InvalidName */
export function versionSelector(version: string | undefined): VersionSelector {
  if (version === undefined) return {};
  return /^[0-9]+$/.test(version) ? { version: Number(version) } : { alias: modelName(version, 'version') };
}
