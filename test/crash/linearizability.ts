import type { LoggedEvent, Look, Moment, WritersLog } from './writers-log';

/** What one lane of `writer.cjs` asked of the registry, and what it was told. */
export interface Operation {
  /** `<process>/<lane>-<number>`: the correlation id of its events. */
  readonly id: string;
  readonly kind: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** When it was called: nanoseconds, CLOCK_MONOTONIC. */
  readonly invoked: bigint;
  /** When it returned; where its process was killed before that, when the process was gone: nothing of it can happen later. */
  readonly over: bigint;
  /** `undefined` where it failed, or where its process was killed before it returned. */
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: string;
}

/** Reads the history of one process. A last line that was cut off was never told. @param endedAt when the process was gone */
export function parseHistory(text: string, endedAt: bigint): readonly Operation[] {
  const operations = new Map<string, Operation>();
  for (const line of text.split('\n').slice(0, -1)) {
    const { id, kind, args, invoked, returned, result, error, message } = JSON.parse(line);
    const operation = operations.get(id);
    if (operation === undefined) operations.set(id, { id, kind, args, invoked: BigInt(invoked), over: endedAt });
    else
      operations.set(id, {
        ...operation,
        over: BigInt(returned),
        ...(error === undefined ? { result } : { error: `${error}: ${message}` }),
      });
  }
  return [...operations.values()];
}

/**
 * Holds histories against the log that they left. The log is one order of all changes; so they are linearizable if each operation fits
 * into it at a place between its call and its end: a change where its event is, a look where it says that it looked, all else anywhere
 * in between.
 * @param operations of all processes, none of which runs any more
 * @param folds what the processes said of the registry when nothing was changed any more
 * @returns a sentence for each promise that is broken
 */
export function checkHistory(log: WritersLog, operations: readonly Operation[], folds: readonly Look[] = []): readonly string[] {
  const known = new Set(operations.map(({ id }) => id));
  const strangers = log.events.filter(({ kind, correlationId }) => kind !== 'registry.created' && !known.has(correlationId));
  const last = log.events.length;
  return [
    ...log.faults,
    ...strangers.map(({ seq, kind, correlationId }) => `event ${seq}, ${kind}, is of nobody: ${correlationId}`),
    ...place(log, operations).flatMap((placed) => faultsOf(placed, log).map((fault) => `${describe(placed.operation)}: ${fault}`)),
    ...folds.flatMap((fold, at) => [
      ...log.differences(fold).map((fault) => `the last look of process ${at}: ${fault}`),
      ...(fold.seq === last ? [] : [`the last look of process ${at} is at event ${fold.seq}, and there are ${last}`]),
    ]),
  ];
}

/** An operation, its events, and where in the log it can be. */
interface Placed {
  readonly operation: Operation;
  readonly events: readonly LoggedEvent[];
  /** The greatest number that some operation had reached that was over before this one was called. */
  readonly from: number;
  /** The greatest number that can have been there when it ended: all that were called after it come later. */
  readonly to: number;
}

function place(log: WritersLog, operations: readonly Operation[]): readonly Placed[] {
  const spans = operations.map((operation) => ({ operation, events: log.caused(operation.id), ...spanOf(operation, log) }));
  const byEnd = spans.filter(({ high }) => high !== undefined).sort((a, b) => compare(a.operation.over, b.operation.over));
  const byCall = spans.toSorted((a, b) => compare(a.operation.invoked, b.operation.invoked));

  const from = new Map<Operation, number>();
  let reached = 0;
  let at = 0;
  for (const { operation } of byCall) {
    for (; at < byEnd.length && byEnd[at]!.operation.over < operation.invoked; at++) reached = Math.max(reached, byEnd[at]!.high ?? 0);
    from.set(operation, reached);
  }
  const to = new Map<Operation, number>();
  let bound = log.events.length;
  at = byCall.length - 1;
  for (const { operation } of spans.toSorted((a, b) => compare(b.operation.over, a.operation.over))) {
    for (; at >= 0 && byCall[at]!.operation.invoked > operation.over; at--) bound = Math.min(bound, byCall[at]!.low ?? bound);
    to.set(operation, bound);
  }
  return spans.map(({ operation, events }) => ({ operation, events, from: from.get(operation) ?? 0, to: to.get(operation) ?? bound }));
}

/** @returns after which event it began at the latest, and which one it has reached for certain; both undefined where nobody can tell */
function spanOf({ id, result }: Operation, log: WritersLog): { readonly low?: number; readonly high?: number } {
  const numbers = log.caused(id).map(({ seq }) => seq);
  if (numbers.length > 0) return { low: Math.min(...numbers) - 1, high: Math.max(...numbers) };
  return typeof result?.['seq'] === 'number' ? { low: result['seq'], high: result['seq'] } : {};
}

function faultsOf(placed: Placed, log: WritersLog): readonly string[] {
  const { operation, events, from, to } = placed;
  const { low, high } = spanOf(operation, log);
  return [
    ...(low !== undefined && low < from ? [`it is at ${low}, and event ${from} was there before it was called`] : []),
    ...(high !== undefined && high > to ? [`it is at ${high}, but ended before what is at ${to} was called`] : []),
    ...events.flatMap((event) => foreignEvent(operation, event)),
    ...answerFaults(placed, log),
  ];
}

type Args = Operation['args'];

/** What an operation writes, and whether that is what it was asked for; each at most one event of each kind. */
const EVENTS: Readonly<Record<string, Readonly<Record<string, (event: Args, args: Args) => boolean>>>> = {
  publish: {
    'version.published': (event, args) => contentOf(event) === contentOf(args),
    'stage.changed': ({ stage, rollback }) => stage === 'production' && rollback === undefined,
  },
  move: {
    'stage.changed': ({ stage, version, rollback }, args) =>
      stage === args['stage'] && version === args['version'] && rollback === undefined,
  },
  rollback: {
    'stage.changed': ({ stage, rollback, idempotencyKey }, { key }) =>
      stage === 'production' && rollback === true && idempotencyKey === key,
  },
  alias: { 'alias.set': ({ alias, version }, args) => alias === args['alias'] && version === args['version'] },
  unalias: { 'alias.removed': ({ alias }, args) => alias === args['alias'] },
  delete: { 'version.deleted': ({ version }, args) => version === args['version'] },
  undelete: { 'version.undeleted': ({ version }, args) => version === args['version'] },
  deleteModel: { 'model.deleted': () => true },
  undeleteModel: { 'model.undeleted': () => true },
  collect: { 'blobs.condemned': () => true },
};

function foreignEvent({ id, kind, args }: Operation, event: LoggedEvent): readonly string[] {
  const isAskedFor = EVENTS[kind]?.[event.kind];
  if (isAskedFor === undefined) return [`event ${event.seq} says ${event.kind}`];
  const [process] = id.split('/');
  const right = event.actor === process && (!('model' in event) || event.model === args['model']) && isAskedFor(event, args); // prettier-ignore
  return right ? [] : [`event ${event.seq} is not what it was asked for: ${JSON.stringify(event)}`];
}

function answerFaults(placed: Placed, log: WritersLog): readonly string[] {
  const { operation, events, from, to } = placed;
  const { kind, args, result, error } = operation;
  const twice = events.filter((event, at) => events.findIndex((other) => other.kind === event.kind) !== at);
  if (twice.length > 0) return [`it wrote ${twice.length} events too many`];
  if (error !== undefined) return refusalFaults(placed, log);
  if (result === undefined) return []; // killed: what it wrote stands, what it did not write is no fault
  const was = (...those: readonly ((moment: Moment) => boolean)[]): boolean =>
    log.moments(args['model'], from, to).some((moment) => those.every((that) => that(moment)));
  switch (kind) {
    case 'publish':
      return [
        ...publishFaults(placed, log),
        ...(args['production'] === true ? moveFaults({ ...args, ...result, stage: 'production' }, events, was) : []),
      ];
    case 'move':
      return moveFaults(args, events, was);
    case 'rollback':
      return rollbackFaults(placed, log);
    case 'alias': {
      const pointed = events.length > 0 || was(({ aliases }) => aliases.some(([alias, version]) => alias === args['alias'] && version === args['version'])); // prettier-ignore
      return pointed ? [] : ['it has no event, and the alias never pointed there'];
    }
    case 'undelete': {
      const [event] = events;
      const blob = event && log.moment(args['model'], event.seq).live(args['version'])?.blob;
      return event !== undefined && blob === result['blob'] ? [] : ['its event is not what it answered'];
    }
    case 'unalias':
    case 'delete':
    case 'deleteModel':
    case 'undeleteModel':
      return events.length > 0 ? [] : ['it has no event'];
    case 'collect':
      return collectFaults(placed, log);
    case 'verify':
      return result['whole'] === true ? [] : [`the bytes of ${String(args['blob'])} are damaged`];
    case 'read':
    case 'refold':
      return log.differences(result as unknown as Look);
    case 'open':
      return log.differences({ ...(result as unknown as Look), models: [] });
    default:
      return [];
  }
}

type Was = (...those: readonly ((moment: Moment) => boolean)[]) => boolean;

/** Its own version; or an equal one that was there. */
function publishFaults({ operation: { args, result = {} }, events, from, to }: Placed, log: WritersLog): readonly string[] {
  const { model, version, created, blob } = result;
  const published = log.publicationOf(model, version);
  if (published === undefined) return [`${String(model)}:${String(version)} is lost`];
  const own = events.includes(published);
  const there = own ? [log.moment(model, published.seq)] : log.moments(model, from, to);
  const same =
    contentOf(published) === contentOf(args) &&
    (args['version'] ?? version) === version &&
    (there.some((moment) => moment.live(version)?.blob === blob) || (!own && published.seq > to));
  if (!same) return [`${String(model)}:${String(version)} is of another content, or has another blob`];
  if (created !== own) return [`it says created: ${String(created)}, and its events are ${JSON.stringify(events)}`];
  return published.seq > to ? [`${String(model)}:${String(version)} was not there yet`] : [];
}

/** It changed the stage, or the version stood there already. */
function moveFaults({ version, stage }: Args, events: readonly LoggedEvent[], was: Was): readonly string[] {
  const moved = events.some((event) => event.kind === 'stage.changed' && event.version === version);
  return moved || was((moment) => moment.live(version)?.stage === stage) ? [] : ['it has no event, and the version never stood there'];
}

/** Its own event, or that of whoever asked for the same under the same key. */
function rollbackFaults({ operation: { args, result = {} }, events: [own], to }: Placed, log: WritersLog): readonly string[] {
  const event = own ?? (args['key'] === undefined ? undefined : log.underKey(args['model'], args['key']));
  const right = event?.kind === 'stage.changed' && event.version === result['version'] && event.seq <= to;
  return right ? [] : ['no event brought back what it answered'];
}

function collectFaults({ operation: { args, result = {} }, events }: Placed, log: WritersLog): readonly string[] {
  const condemned = events.map((event) => (event.kind === 'blobs.condemned' ? String(event.digests) : '?')).join();
  const taken = args['deleted'] === 'kept' ? events.flatMap((event) => log.takenFromDeleted(event)) : [];
  return [
    ...(String(result['condemned']) === condemned ? [] : ['its event is not what it answered']),
    ...(taken.length === 0 ? [] : [`what was deleted a moment ago can come back no more: ${taken.join()}`]),
  ];
}

/** For each code what must have been so, at some moment between call and end, on a model of which `args` tells. */
const REASONS: Readonly<Record<string, (args: Args) => (moment: Moment) => boolean>> = {
  VERSION_NOT_FOUND:
    ({ version }) =>
    (moment) =>
      moment.live(version) === undefined,
  MODEL_NOT_FOUND: () => (moment) => !moment.isThere,
  ALIAS_NOT_FOUND:
    ({ alias }) =>
    (moment) =>
      !moment.aliases.some(([name]) => name === alias),
  NOTHING_TO_ROLL_BACK: () => (moment) => moment.rollback === undefined,
  NOT_DELETED:
    ({ version }) =>
    (moment) =>
      version === undefined ? moment.deletion === undefined : moment.live(version) !== undefined,
  VERSION_IN_USE:
    ({ version }) =>
    (moment) =>
      moment.versions.some(([{ published }]) => (version ?? published.version) === published.version && moment.isInUse(published.version)),
  BYTES_COLLECTED:
    ({ version }) =>
    (moment) =>
      version === undefined
        ? moment.versions.every(([{ published }, { deleted }]) => deleted !== moment.deletion || moment.hasLostItsName(published.version))
        : moment.hasLostItsName(Number(version)),
  BLOB_MISSING:
    ({ version, blob }) =>
    (moment) =>
      moment.live(version)?.blob !== blob,
  // the number was another upload's, or this upload had another number
  VERSION_TAKEN: (args) => (moment) => {
    const equal = moment.versions.filter(
      ([{ published }, { deleted }]) => deleted === undefined && contentOf(published) === contentOf(args),
    );
    const numbers = equal.map(([{ published }]) => published.version);
    return args['version'] !== undefined && (numbers.length > 0 ? numbers[0] !== args['version'] : moment.standing(args['version']) !== undefined); // prettier-ignore
  },
};

/** Which operations may be refused so. */
const REFUSALS: Readonly<Record<string, readonly string[]>> = {
  publish: ['VERSION_TAKEN'],
  move: ['VERSION_NOT_FOUND', 'MODEL_NOT_FOUND'],
  rollback: ['NOTHING_TO_ROLL_BACK', 'MODEL_NOT_FOUND'],
  alias: ['VERSION_NOT_FOUND', 'MODEL_NOT_FOUND'],
  unalias: ['ALIAS_NOT_FOUND', 'MODEL_NOT_FOUND'],
  delete: ['VERSION_NOT_FOUND', 'MODEL_NOT_FOUND', 'VERSION_IN_USE'],
  undelete: ['VERSION_NOT_FOUND', 'MODEL_NOT_FOUND', 'NOT_DELETED', 'BYTES_COLLECTED'],
  deleteModel: ['MODEL_NOT_FOUND', 'VERSION_IN_USE'],
  undeleteModel: ['MODEL_NOT_FOUND', 'NOT_DELETED', 'BYTES_COLLECTED'],
  verify: ['BLOB_MISSING'],
};

/** Who was refused has changed nothing, and there was a reason for it. */
function refusalFaults(placed: Placed, log: WritersLog): readonly string[] {
  const { operation, events, from, to } = placed;
  const { kind, args, error = '' } = operation;
  const [code = ''] = error.split(':');
  if (isLatePromotion(placed, code, log) || isDeletedSince(placed, code, log)) return [];
  const isReason = REFUSALS[kind]?.includes(code) ? REASONS[code]?.(args) : undefined;
  if (isReason === undefined) return [`it failed: ${error}`];
  if (events.length > 0) return [`it failed, and has done it: ${error}`];
  return log.moments(args['model'], from, to).some(isReason) ? [] : [`it failed without a reason, between ${from} and ${to}: ${error}`];
}

/** Somebody rolled back under the same key, and what that brought back is deleted. */
function isDeletedSince({ operation: { kind, args }, from, to }: Placed, code: string, log: WritersLog): boolean {
  const done = kind === 'rollback' && args['key'] !== undefined ? log.underKey(args['model'], args['key']) : undefined;
  if (code !== 'VERSION_NOT_FOUND' || done?.kind !== 'stage.changed') return false;
  return log.moments(args['model'], Math.max(from, done.seq), to).some((moment) => moment.live(done.version) === undefined);
}

/** An upload into production is two changes: the version of the first may be deleted before the second. */
function isLatePromotion({ operation: { kind, args }, from, to }: Placed, code: string, log: WritersLog): boolean {
  if (kind !== 'publish' || args['production'] !== true || !['VERSION_NOT_FOUND', 'MODEL_NOT_FOUND'].includes(code)) return false;
  return log
    .moments(args['model'], from, to)
    .some(({ versions }) =>
      versions.some(([{ published }, { deleted }]) => deleted !== undefined && contentOf(published) === contentOf(args)),
    );
}

function contentOf(of: Args | Extract<LoggedEvent, { kind: 'version.published' }>): string {
  if (!('manifest' in of)) return `${String(of['file'])} ${String(of['sha256'])}`;
  const [file] = (of as Extract<LoggedEvent, { kind: 'version.published' }>).manifest.files;
  return `${file?.path} ${file?.sha256}`;
}

function describe({ id, kind, args }: Operation): string {
  return `${kind} ${id} ${JSON.stringify(args)}`;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b);
}
