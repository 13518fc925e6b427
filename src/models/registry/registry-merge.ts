import type { Deletion, DeletedVersion, ModelRecord, VersionRecord } from './registry-records';
import type { RegistryState } from './registry-state';
import type { RestoredModels } from './restored-models';

/** What of a registry is to be brought back. Absent members: all of it. */
export interface Selection {
  readonly model?: string;
  /** Of that model. */
  readonly version?: number;
}

/** What happens where something is there already that is another than what would come back: nothing at all; it stays; what comes back gets a number of its own. */
export const CONFLICTS = ['fail', 'skip', 'new-version'] as const;

/** What happens where something is there already. */
export type Conflicts = (typeof CONFLICTS)[number];

/** Something that is there, and is another than what would come back. */
export interface Conflict {
  readonly model: string;
  /** `version 3`, `alias champion`, `production`. */
  readonly what: string;
  readonly here: string;
  readonly wanted: string;
}

/** What models are to be. */
export interface Merged {
  /** Those that change, and of a whole registry all. */
  readonly models: RestoredModels;
  /** What stays as it is, or came in under another number, because it was there. */
  readonly conflicts: readonly Conflict[];
}

/** Two registries, and the event that makes one of them. */
export interface Merging {
  readonly current: RegistryState;
  readonly wanted: RegistryState;
  /** Whether the bytes of a version can be had: one whose cannot comes back as a deleted one. */
  readonly has: (record: VersionRecord) => boolean;
  /** Of what has to go: it may come back. */
  readonly deletion: Deletion;
}

/** Every model that either registry ever had, as `wanted` has it. What only `current` has stays as deleted, and no number is given twice. */
export function mergeWhole(merging: Merging): Merged {
  const names = new Set([...knownOf(merging.current), ...knownOf(merging.wanted)].map(({ name }) => name));
  return { models: [...names].sort().map((name) => wholeModel(name, merging)), conflicts: [] };
}

function knownOf(state: RegistryState): readonly ModelRecord[] {
  return [...state.list(), ...state.listDeleted()];
}

function wholeModel(name: string, { current, wanted, has, deletion }: Merging): ModelRecord {
  const here = current.findKnown(name);
  const there = wanted.findKnown(name);
  const gone = there === undefined || there.deletion !== undefined;
  const coming = gone ? [] : [...there.versions.values()];
  const versions = new Map(coming.filter((record) => has(record)).map((record) => [record.version, inPlace(record, here, current)]));
  const deleted = new Map<number, DeletedVersion>();
  const lost = coming.filter((record) => !has(record)).map((record) => ({ record, deletion }));
  const deletedThere = [...(there?.deletedVersions.values() ?? [])].map((each) => ({
    ...each,
    record: inPlace(each.record, undefined, current),
  }));
  for (const each of [...lost, ...deletedThere]) deleted.set(each.record.version, each);
  let highest = Math.max(here?.highest ?? 0, there?.highest ?? 0);
  const leaving = [...(here?.versions.values() ?? [])].map((record) => ({ record, deletion }));
  for (const each of [...(here?.deletedVersions.values() ?? []), ...leaving]) {
    const { record } = each;
    const other = versions.get(record.version);
    if (other?.digest === record.digest) continue;
    // of another line of history: what has its number now is another one
    const number = other === undefined ? record.version : ++highest;
    deleted.set(number, { ...each, record: { ...record, version: number } });
  }
  const { deletion: _deletion, ...alive } = (gone ? (here ?? there) : there) as ModelRecord;
  return {
    ...alive,
    ...(gone && { deletion: (here ?? there)?.deletion ?? deletion }),
    versions,
    deletedVersions: new Map([...deleted].filter(([number]) => !versions.has(number)).sort(([a], [b]) => a - b)),
    highest,
    production: versions.get((gone ? undefined : there.production)?.version ?? 0),
    aliases: new Map([...(gone ? [] : there.aliases)].filter(([, version]) => versions.has(version))),
    past: [...alive.past],
    events: [...(here?.events ?? [])], // numbers of this log, whatever line the other is of
    done: new Map(here?.done ?? there?.done),
  };
}

/** Some versions of a model beside what is there. Where nothing is there the model comes back as it was, as far as it is selected. */
export function mergeSelected(model: string, version: number | undefined, policy: Conflicts, merging: Merging): Merged {
  const { current, wanted, has } = merging;
  const there = wanted.require(model);
  const chosen = version === undefined ? [...there.versions.values()] : [wanted.requireVersion(model, version)];
  const here = current.findKnown(model);
  const merged = copyOf(here ?? { ...there, versions: new Map(), deletedVersions: new Map(), events: [], done: new Map(), highest: 0 });
  merged.highest = Math.max(merged.highest, there.highest);
  const alive = here !== undefined && here.deletion === undefined;
  const conflicts: Conflict[] = [];
  const numbers = new Map<number, number>();
  for (const record of chosen.filter((each) => has(each))) {
    const taken = merged.versions.get(record.version) ?? merged.deletedVersions.get(record.version)?.record;
    if (taken !== undefined && taken.digest !== record.digest) {
      conflicts.push({ model, what: `version ${record.version}`, here: `digest ${taken.digest}`, wanted: `digest ${record.digest}` });
      if (policy === 'new-version') numbers.set(record.version, (merged.highest += 1));
    } else numbers.set(record.version, record.version);
  }
  for (const record of chosen) {
    const number = numbers.get(record.version);
    if (number === undefined || merged.versions.has(number)) continue;
    const renumbered = number !== record.version;
    // production is decided below: one that was is at first no more than one of the past
    const stage = renumbered ? 'staging' : record.stage === 'production' ? 'archived' : record.stage;
    merged.versions.set(number, { ...inPlace(record, undefined, current), version: number, stage });
    merged.deletedVersions.delete(number);
  }
  inOrder(merged.versions);
  // one version by itself says nothing of where names point
  if (!alive || version === undefined) conflicts.push(...pointAgain(merged, there, numbers, alive));
  if (!alive) comeBack(merged, there, numbers);
  return { models: [merged], conflicts };
}

/** Production and aliases, where they point nowhere here. @returns those that point elsewhere: they stay */
function pointAgain(merged: ModelRecord, there: ModelRecord, numbers: ReadonlyMap<number, number>, alive: boolean): readonly Conflict[] {
  const { name: model } = merged;
  const conflicts: Conflict[] = [];
  if (!alive) {
    merged.aliases.clear();
    merged.production = undefined;
  }
  for (const [alias, target] of there.aliases) {
    const number = numbers.get(target);
    if (number === undefined) continue;
    const now = merged.aliases.get(alias);
    if (now === undefined) merged.aliases.set(alias, number);
    else if (now !== number) conflicts.push({ model, what: `alias ${alias}`, here: `version ${now}`, wanted: `version ${number}` });
  }
  const production = numbers.get(there.production?.version ?? 0);
  if (production === undefined) return conflicts;
  const now = merged.production?.version;
  if (now === undefined) {
    const record = { ...(merged.versions.get(production) as VersionRecord), stage: 'production' as const };
    merged.versions.set(production, record);
    merged.production = record;
  } else if (now !== production) conflicts.push({ model, what: 'production', here: `version ${now}`, wanted: `version ${production}` });
  return conflicts;
}

/** A model that was not there, or was deleted: what is said of it comes back too. */
function comeBack(merged: ModelRecord, there: ModelRecord, numbers: ReadonlyMap<number, number>): void {
  delete merged.deletion;
  const past = there.past.flatMap((version) => numbers.get(version) ?? []);
  Object.assign(merged, { description: there.description, tags: there.tags, past });
}

/** As it is called in this registry, its blobs too. What is here already has the right names. */
function inPlace(record: VersionRecord, here: ModelRecord | undefined, current: RegistryState): VersionRecord {
  const same = here?.versions.get(record.version);
  if (same?.digest === record.digest) return { ...same, stage: record.stage };
  const blobs = record.manifest.files.map(({ sha256 }) => current.blobName(sha256));
  return { ...record, blobs, blob: blobs[0] ?? '' };
}

function copyOf(model: ModelRecord): ModelRecord {
  const versions = new Map([...model.versions].map(([number, record]) => [number, { ...record }]));
  return {
    ...model,
    versions,
    deletedVersions: new Map(model.deletedVersions),
    production: versions.get(model.production?.version ?? 0),
    aliases: new Map(model.aliases),
    past: [...model.past],
    events: [...model.events],
    done: new Map(model.done),
  };
}

function inOrder(versions: Map<number, VersionRecord>): void {
  const sorted = [...versions].sort(([a], [b]) => a - b);
  versions.clear();
  for (const [number, record] of sorted) versions.set(number, record);
}
