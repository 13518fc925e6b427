import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { RegistryEvent } from '../../src/models/registry/registry-event';
import { RegistryState } from '../../src/models/registry/registry-state';
import { restoredBy } from '../../src/models/registry/restored-models';
import { LOG_START, type StoredEvent } from '../../src/storage/event-log.port';
import { FileBlobStore } from '../../src/storage/file-blob.store';
import { FileEventLog } from '../../src/storage/file-event.log';

/** A line in which `registry-driver.cjs` says that a step is done. What each kind says of it is in the head of the driver. */
export interface Ack {
  readonly ack: string;
  readonly [member: string]: unknown;
}

/** A line in which `registry-driver.cjs` says that a step failed. */
export interface StepError {
  readonly error: string;
  readonly step: string;
}

/** What a registry driver acknowledged, in its order; a last line that was cut off is none. */
export function parseAcks(stdout: string): readonly Ack[] {
  return linesOf(stdout).filter((line): line is Ack => 'ack' in line);
}

/** The steps that a registry driver reported as failed, in its order. */
export function parseErrors(stdout: string): readonly StepError[] {
  return linesOf(stdout).filter((line): line is StepError => 'error' in line);
}

/**
 * Reads a registry whole, from its files alone, and holds it against what was acknowledged.
 * @param root the folder, which no process is writing to
 * @param streams what each driver that worked on it acknowledged, each in the driver's order
 * @returns a sentence for each promise that is broken
 */
export async function checkRegistry(root: string, ...streams: readonly (readonly Ack[])[]): Promise<readonly string[]> {
  const { state, events, damage } = await foldRegistry(root);
  return [
    ...damage,
    ...numbersGivenTwice(events),
    ...keysUsedTwice(events),
    ...(await brokenVersions(root, state)),
    ...(await foreignFiles(root, state)),
    ...(await Promise.all(streams.map((acks) => brokenAcks(root, acks, state, events)))).flat(),
  ];
}

type LoggedEvent = StoredEvent & RegistryEvent;

/** A registry as its log makes it. */
export interface Folded {
  readonly state: RegistryState;
  readonly events: readonly LoggedEvent[];
  readonly damage: readonly string[];
}

/** Reads the log of a registry, as far as it can be read. */
export async function foldRegistry(root: string): Promise<Folded> {
  const state = new RegistryState();
  const blobs = new FileBlobStore(root);
  const events: LoggedEvent[] = [];
  try {
    for await (const entry of new FileEventLog(root).read(LOG_START)) {
      state.apply(entry, await restoredBy(entry.event, blobs, (digest) => state.blobName(digest)));
      events.push(entry.event as LoggedEvent);
    }
  } catch (error) {
    return { state, events, damage: [`the log cannot be read after event ${events.length}: ${String(error)}`] };
  }
  const { foreign } = state;
  return { state, events, damage: foreign === undefined ? [] : [`event ${foreign.seq} is of the unknown kind ${foreign.kind}`] };
}

function numbersGivenTwice(events: readonly LoggedEvent[]): readonly string[] {
  const given = events.flatMap((event) => (event.kind === 'version.published' ? [`${event.model}:${event.version}`] : []));
  return [...new Set(given.filter((version, at) => given.indexOf(version) !== at))].map((version) => `${version} was published twice`);
}

function keysUsedTwice(events: readonly LoggedEvent[]): readonly string[] {
  const used = events.flatMap((event) =>
    'model' in event && event.idempotencyKey !== undefined ? [JSON.stringify([event.model, event.idempotencyKey])] : [],
  );
  return [...new Set(used.filter((key, at) => used.indexOf(key) !== at))].map(
    (key) => `what was asked for under a key was done twice: ${key}`,
  );
}

async function brokenVersions(root: string, state: RegistryState): Promise<readonly string[]> {
  const blobs = new FileBlobStore(root);
  const broken: string[] = [];
  for (const { name, versions, production, aliases } of state.list()) {
    for (const [alias, version] of aliases)
      if (!versions.has(version)) broken.push(`${name}: ${alias} points at ${version}, which is not there`);
    if (production !== undefined && versions.get(production.version) !== production) broken.push(`${name}: in production is no version`);
    for (const { version, blob, manifest } of versions.values()) {
      const fault = !blob.startsWith(manifest.files[0]?.sha256 ?? '?') ? 'is of other bytes' : await faultOf(blobs, blob);
      if (fault !== undefined) broken.push(`${name}:${version} is listed, and its blob ${blob} ${fault}`);
    }
  }
  return broken;
}

/** @returns what is wrong with a blob, `undefined` where nothing is */
async function faultOf(blobs: FileBlobStore, name: string): Promise<string | undefined> {
  try {
    return (await blobs.verify(name)) ? undefined : 'is damaged';
  } catch (error) {
    return `cannot be read: ${(error as { code?: string }).code ?? String(error)}`;
  }
}

/** What stands under `blobs/` and `log/` is complete, or it is not there. */
async function foreignFiles(root: string, state: RegistryState): Promise<readonly string[]> {
  const blobs = new FileBlobStore(root);
  const listed = new Set<string>();
  const foreign: string[] = [];
  for await (const { name } of blobs.list()) {
    listed.add(join('blobs', 'sha256', name.slice(0, 2), name));
    const fault = await faultOf(blobs, name);
    if (fault !== undefined) foreign.push(`the blob ${name} ${fault}`);
  }
  for (let seq = 1; seq <= state.position.seq; seq++) listed.add(join('log', `${String(seq).padStart(20, '0')}.json`));
  const files = [...(await filesIn(root, 'blobs')), ...(await filesIn(root, 'log'))];
  return [...foreign, ...files.filter((file) => !listed.has(file)).map((file) => `${file} is no blob and no event`)];
}

async function filesIn(root: string, folder: string): Promise<readonly string[]> {
  const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

async function brokenAcks(
  root: string,
  acks: readonly Ack[],
  state: RegistryState,
  events: readonly LoggedEvent[],
): Promise<readonly string[]> {
  const blobs = new FileBlobStore(root);
  const condemned = new Set(events.flatMap((event) => (event.kind === 'blobs.condemned' ? event.digests : [])));
  const broken: string[] = [];
  for (const ack of acks) {
    const says = JSON.stringify(ack);
    switch (ack.ack) {
      case 'open':
        if (state.position.seq < Number(ack.seq)) broken.push(`lost: ${says}; the log ends at ${state.position.seq}`);
        break;
      case 'publish':
        broken.push(...lostPublish(ack, state, events));
        break;
      case 'collect':
      case 'purge':
      case 'condemn':
        for (const digest of ack.condemned as readonly string[]) if (!condemned.has(digest)) broken.push(`lost: ${says}, ${digest}`);
        break;
      case 'orphan': {
        const fault = condemned.has(String(ack.sha256)) ? undefined : await faultOf(blobs, String(ack.sha256));
        if (fault !== undefined) broken.push(`lost: ${says}; its blob ${fault}`);
        break;
      }
    }
  }
  return [...broken, ...lostChanges(acks, events), ...wrongProductions(state, events)];
}

function lostPublish(ack: Ack, state: RegistryState, events: readonly LoggedEvent[]): readonly string[] {
  const model = state.findKnown(String(ack.model));
  const version = Number(ack.version);
  const record = model?.versions.get(version) ?? model?.deletedVersions.get(version)?.record; // it is deleted by an event, or not at all
  if (record === undefined) return [`lost: ${JSON.stringify(ack)}`];
  // whether the blob itself is whole is asked of every version
  const cameBack = events.some((event) => CAME_BACK(event, ack));
  const same = record.manifest.files[0]?.sha256 === ack.sha256 && (cameBack || record.blob === ack.blob);
  return same ? [] : [`changed: ${JSON.stringify(ack)}; it is now ${record.manifest.files[0]?.sha256} in ${record.blob}`];
}

type IsItsEvent = (event: LoggedEvent, ack: Ack) => boolean;

const CAME_BACK: IsItsEvent = (event, { version }) =>
  event.kind === 'version.undeleted' ? event.version === version : event.kind === 'model.undeleted' && event.versions.includes(version as number); // prettier-ignore
const movedTo =
  (stage: string): IsItsEvent =>
  (event, { version }) =>
    event.kind === 'stage.changed' && event.version === version && event.stage === stage;
const ofVersion =
  (one: string, all: string): IsItsEvent =>
  (event, { version }) =>
    version === undefined ? event.kind === all : event.kind === one && event.version === version;

const STAGES = new Set(['promote', 'archive', 'rollback']);

/** The event of each kind of acknowledged change. */
const CHANGES: Readonly<Record<string, IsItsEvent>> = {
  promote: movedTo('production'),
  // by itself, or by another that took its place
  archive: (event, ack) => movedTo('archived')(event, ack) || (event.kind === 'stage.changed' && event.stage === 'production' && event.version !== ack.version), // prettier-ignore
  rollback: (event, ack) => movedTo('production')(event, ack) && event.kind === 'stage.changed' && event.rollback === true,
  alias: (event, { alias, version }) => event.kind === 'alias.set' && event.alias === alias && event.version === version,
  unalias: (event, { alias }) => event.kind === 'alias.removed' && event.alias === alias,
  delete: ofVersion('version.deleted', 'model.deleted'),
  undelete: ofVersion('version.undeleted', 'model.undeleted'),
};

/** Each acknowledged change has its event, no earlier than that of the change of the same thing before it; one with a key has that in its event. */
function lostChanges(acks: readonly Ack[], events: readonly LoggedEvent[]): readonly string[] {
  const lost: string[] = [];
  const reached = new Map<string, number>();
  for (const ack of acks) {
    const isIts = CHANGES[ack.ack];
    if (isIts === undefined) continue;
    // what is so already writes no event, and what was done under its key is not done again: the one from before is its event too
    const what = STAGES.has(ack.ack) ? 'stage' : (ack.alias ?? ack.version);
    const about = JSON.stringify([ack.model, what]);
    const first = ack.key === undefined ? (reached.get(about) ?? 0) : 0;
    if (ack.key === undefined && standsAlready(ack, events.slice(0, first + 1))) continue;
    const at = events.findIndex(
      (event, index) =>
        index >= first &&
        'model' in event &&
        event.model === ack.model &&
        (ack.key === undefined || event.idempotencyKey === ack.key) &&
        isIts(event, ack),
    );
    if (at === -1) lost.push(`lost: ${JSON.stringify(ack)}`);
    else reached.set(about, Math.max(first, at));
  }
  return lost;
}

/** Whether a version stood, after these events, where a move to there was acknowledged: several moves of others may lie between. */
function standsAlready({ ack, model, version }: Ack, events: readonly LoggedEvent[]): boolean {
  let stage: string | undefined;
  for (const event of events) {
    if (event.kind !== 'stage.changed' || event.model !== model) continue;
    if (event.version === version) stage = event.stage;
    else if (stage === 'production' && event.stage === 'production') stage = 'archived';
  }
  return stage === 'archived' ? ack === 'archive' : stage === 'production' && ack === 'promote';
}

/** What was promoted or brought back last is in production, unless it was moved out of it. */
function wrongProductions(state: RegistryState, events: readonly LoggedEvent[]): readonly string[] {
  return [...state.list(), ...state.listDeleted()].flatMap(({ name, production }) => {
    const last = events.findLast((event) => event.kind === 'stage.changed' && event.model === name);
    const promoted = last?.kind === 'stage.changed' && last.stage === 'production' ? last.version : undefined;
    return promoted === undefined || production?.version === promoted ? [] : [`${name}: ${promoted} was promoted last, not ${production?.version}`]; // prettier-ignore
  });
}

function linesOf(stdout: string): readonly object[] {
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as object);
}
