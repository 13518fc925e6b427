import type { VersionRecord } from '../../models/registry/registry-records';
import type { VersionState } from '../../models/serving/model-catalog';

/** How a version stands, as TensorFlow Serving tells it. */
export interface VersionStatus {
  readonly version: string;
  readonly state: 'LOADING' | 'AVAILABLE' | 'END';
  readonly status: { readonly error_code: 'OK' | 'UNAVAILABLE'; readonly error_message: string };
}

/** TensorFlow Serving’s answer, and KServe’s (v1) in the same object. */
export interface ModelStatus {
  readonly model_version_status: readonly VersionStatus[];
  readonly name: string;
  /** Whether a call to what was asked for is answered. */
  readonly ready: boolean;
}

const STATES = { READY: 'AVAILABLE', LOADING: 'LOADING', UNAVAILABLE: 'END' } as const;

/** @param asked the version that a call to the same path would meet; `undefined`: none would */
export function modelStatus(
  name: string,
  versions: readonly VersionRecord[],
  asked: VersionRecord | undefined,
  stateOf: (version: VersionRecord) => VersionState,
): ModelStatus {
  const statuses = versions.map((version) => versionStatus(version, stateOf(version)));
  return { model_version_status: statuses, name, ready: asked !== undefined && stateOf(asked).state === 'READY' };
}

function versionStatus({ version }: VersionRecord, { state, reason }: VersionState): VersionStatus {
  const failed = state === 'UNAVAILABLE';
  const status = { error_code: failed ? 'UNAVAILABLE' : 'OK', error_message: failed ? (reason ?? '') : '' } as const;
  return { version: String(version), state: STATES[state], status };
}
