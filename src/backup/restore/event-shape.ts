import { STAGES } from '../../models/registry/registry-event';
import { DATATYPES } from '../../runtime/tensor';
import type { StoredEvent } from '../../storage/event-log.port';
import { type Check, isCount, isDigest, isFilePath, isText, isTime, listOf, has, type Members } from '../snapshot/json-shape';

/** What a path may have as a number; and one that is greater would leave no room for the next. */
const MAX_VERSION = 999_999_999;

const isLine: Check = (value) => isText(value, /^[^\p{Cc}]{0,1024}$/u);
/** What people write: of any lines. */
const isProse: Check = (value) => typeof value === 'string' && value.length <= 65_536;
const isTensor: Check = (value) =>
  has(value, {
    name: (name) => typeof name === 'string',
    datatype: (datatype) => (DATATYPES as readonly unknown[]).includes(datatype),
    shape: listOf((dimension) => Number.isSafeInteger(dimension) && (dimension as number) >= -1),
  });
const isOptions: Check = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isProse);

/** The number of a version. */
export const isVersion: Check = (value) => isCount(value) && (value as number) >= 1 && (value as number) <= MAX_VERSION;
export const isStage: Check = (value) => (STAGES as readonly unknown[]).includes(value);
export const isDescription: Check = isProse;
export const isTags = listOf(isProse);

/** What a version is, as its event says it. Absent members of the second kind: nobody looked. */
export const ARTIFACT: Members = {
  version: isVersion,
  digest: isDigest,
  // what metadata says is looked at by itself
  manifest: (value) =>
    has(value, { files: listOf((file) => has(file, { path: isFilePath, sha256: isDigest, size: isCount })), metadata: () => true }),
  engine: (engine) => engine === 'onnx' || engine === 'tfjs',
  executable: isDigest,
  signature: (value) => has(value, { inputs: listOf(isTensor), outputs: listOf(isTensor) }),
};
export const MAY_HAVE: Members = {
  options: isOptions,
  unbounded: listOf(isProse),
  initializerBytes: isCount,
  labels: listOf((label) => typeof label === 'string' || typeof label === 'number'),
};

/** What each kind of event must have; of which model it is, and what names there may be, is looked at when all are folded. */
const KINDS: Readonly<Record<string, Members>> = {
  'registry.created': { lineage: isLine },
  'version.published': ARTIFACT,
  'version.deleted': { version: isVersion },
  'version.undeleted': { version: isVersion },
  'model.deleted': {},
  'model.undeleted': { versions: listOf(isVersion) },
  'model.described': { description: isDescription, tags: isTags },
  'stage.changed': { version: isVersion, stage: isStage },
  'alias.set': { alias: isLine, version: isVersion },
  'alias.removed': { alias: isLine },
  'blobs.condemned': { digests: listOf(isDigest) },
  'registry.restored': { snapshot: isLine },
};
const OF_MODELS = /^(version|model|stage|alias)\./;

const ALL: Members = { actor: isLine, correlationId: isLine, at: isTime };
/** Where they are there. */
const SOME: Members = {
  ...MAY_HAVE,
  reason: isProse,
  idempotencyKey: isLine,
  request: isProse,
  state: isDigest,
  stateBytes: isCount,
  lineage: isLine,
  rollback: (value) => value === true,
  forced: (value) => value === true,
};

/**
 * Members that nobody knows are passed over: a newer version may have written them, which nothing that is known depends on.
 * @returns the name of the first member that is missing or wrong
 */
export function faultOf(event: StoredEvent): string | undefined {
  const kind = Object.hasOwn(KINDS, event.kind) ? KINDS[event.kind] : undefined;
  const required: Members = { ...ALL, ...kind, ...(OF_MODELS.test(event.kind) && kind && { model: isLine }) };
  const wrong = Object.entries(required).find(([name, check]) => !Object.hasOwn(event, name) || !check(event[name]));
  const other = Object.entries(SOME).find(([name, check]) => Object.hasOwn(event, name) && !check(event[name]));
  return (wrong ?? other)?.[0];
}
