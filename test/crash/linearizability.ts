import type { LoggedEvent, Look, WritersLog } from './writers-log';

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

const EVENTS: Readonly<Record<string, readonly string[]>> = {
  publish: ['version.published', 'stage.changed'],
  move: ['stage.changed'],
  collect: ['blobs.condemned'],
};

/** Each operation writes at most one event of each kind that is its own, and what it writes is what it was asked for. */
function foreignEvent({ id, kind, args }: Operation, event: LoggedEvent): readonly string[] {
  if (!EVENTS[kind]?.includes(event.kind)) return [`event ${event.seq} says ${event.kind}`];
  const [process] = id.split('/');
  const wrong =
    event.actor !== process ||
    ('model' in event && event.model !== args['model']) ||
    (event.kind === 'version.published' && contentOf(event) !== contentOf(args)) ||
    (event.kind === 'stage.changed' && event.stage !== (kind === 'publish' ? 'production' : args['stage']));
  return wrong ? [`event ${event.seq} is not what it was asked for: ${JSON.stringify(event)}`] : [];
}

function answerFaults({ operation, events, from, to }: Placed, log: WritersLog): readonly string[] {
  const { kind, args, result, error } = operation;
  const twice = events.filter((event, at) => events.findIndex((other) => other.kind === event.kind) !== at);
  if (twice.length > 0) return [`it wrote ${twice.length} events too many`];
  if (error !== undefined) return isRefusal(operation, to, log) ? [] : [`it failed: ${error}`];
  if (result === undefined) return []; // killed: what it wrote stands, what it did not write is no fault
  const between = { ...args, from, to };
  switch (kind) {
    case 'publish':
      return [
        ...publishFaults(operation, events, to, log),
        ...(args['production'] === true ? moveFaults({ ...between, ...result, stage: 'production' }, events, log) : []),
      ];
    case 'move':
      return moveFaults(between, events, log);
    case 'collect':
      return String(result['condemned']) === events.map((event) => (event.kind === 'blobs.condemned' ? String(event.digests) : '?')).join()
        ? []
        : ['its event is not what it answered'];
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

function publishFaults({ args, result = {} }: Operation, events: readonly LoggedEvent[], to: number, log: WritersLog): readonly string[] {
  const { model, version, created, blob } = result;
  const stored = log.publishedOf(model).find(({ published }) => published.version === version);
  if (stored === undefined) return [`${String(model)}:${String(version)} is lost`];
  const same = contentOf(stored.published) === contentOf(args) && stored.blob === blob && (args['version'] ?? version) === version;
  const own = events.some((event) => event === stored.published);
  if (!same) return [`${String(model)}:${String(version)} is of another content, or has another blob`];
  if (created !== own) return [`it says created: ${String(created)}, and its events are ${JSON.stringify(events)}`];
  return stored.published.seq > to ? [`${String(model)}:${String(version)} was not there yet`] : [];
}

/** It changed the stage, or the version stood there already. */
function moveFaults(
  { from, to, ...move }: Readonly<Record<string, unknown>>,
  events: readonly LoggedEvent[],
  log: WritersLog,
): readonly string[] {
  const moved = events.some((event) => event.kind === 'stage.changed' && event.version === move['version']);
  return moved || log.stood(move, Number(from), Number(to)) ? [] : ['it has no event, and the version never stood there'];
}

/** The number that was asked for was another upload's, or this upload had another number. */
function isRefusal({ kind, args, error = '' }: Operation, to: number, log: WritersLog): boolean {
  if (kind !== 'publish' || !error.startsWith('VERSION_TAKEN: ') || args['version'] === undefined) return false;
  const before = log.publishedOf(args['model']).map(({ published }) => published).filter(({ seq }) => seq <= to); // prettier-ignore
  return before.some((event) => (event.version === args['version']) !== (contentOf(event) === contentOf(args)));
}

function contentOf(of: Operation['args'] | Extract<LoggedEvent, { kind: 'version.published' }>): string {
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
