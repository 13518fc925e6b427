import { dirname, join, sep } from 'node:path';
import type { RegistryEvent } from '../../src/models/registry/registry-event';
import { LOG_START, type StoredEvent } from '../../src/storage/event-log.port';
import { FileEventLog } from '../../src/storage/file-event.log';
import type { Ack } from './registry-check';
import type { Call } from './trace-calls';

/** Every system call that the order of a publication is made of. */
export const ORDERED = ['openat', 'write', 'writev', 'pwrite64', 'fsync', 'fdatasync', 'link', 'linkat', 'rename', 'renameat', 'renameat2', 'mkdir', 'unlink']; // prettier-ignore

/** What an order shows. */
export interface Proof {
  /** Acknowledgements of which everything that they name was shown to be on disk before. */
  readonly proven: number;
  readonly violations: readonly string[];
}

/**
 * Shows from a trace that nothing was acknowledged before it was on disk: of every file that an acknowledgement names, the bytes were
 * flushed, then linked to the name, then the folder flushed, and every folder on the way; of a version, its blob all of it before its event.
 * @param root the registry as the traced process left it
 */
export async function proveOrder(root: string, calls: readonly Call[]): Promise<Proof> {
  const order = new Order(root, calls);
  const log = await eventsOf(root);
  const violations = [...order.writtenInPlace(), ...order.removedTooEarly(log)];
  let proven = 0;
  let since = 0;
  for (const { ack, at } of order.acks()) {
    const events = log.filter((event) => order.bornBetween(event.path, since, at) || isNamedBy(ack, event));
    const named = [...events.map(({ path }) => path), ...order.blobsOf(ack, since, at)];
    const faults = [
      ...named.flatMap((path) => order.notOnDisk(path, at)),
      ...events.flatMap(({ path, blob }) => (blob === undefined ? [] : order.blobAfterEvent(blob, path))),
    ];
    violations.push(...faults.map((fault) => `${JSON.stringify(ack)}: ${fault}`));
    if (faults.length === 0) proven++;
    since = at;
  }
  return { proven, violations };
}

interface LoggedFile {
  readonly path: string;
  readonly event: StoredEvent & RegistryEvent;
  /** Of a version: the path of its blob. */
  readonly blob: string | undefined;
}

/** The order of the calls of a trace. */
export class Order {
  private readonly done: readonly Call[];

  constructor(
    private readonly root: string,
    calls: readonly Call[],
  ) {
    this.done = calls.filter(({ error }) => error === undefined);
  }

  *acks(): Iterable<{ readonly ack: Ack; readonly at: number }> {
    for (const { name, fd, texts, began } of this.done) {
      if (name === 'write' && fd === 1 && texts[1]?.startsWith('{"ack"') === true) yield { ack: JSON.parse(texts[1]) as Ack, at: began };
    }
  }

  /** The blobs that an acknowledgement names, and those that got their name in its time. */
  blobsOf(ack: Ack, since: number, at: number): readonly string[] {
    const named = typeof ack.blob === 'string' ? [blobPath(this.root, ack.blob)] : [];
    const born = this.births()
      .map(({ path }) => path)
      .filter((path) => path.startsWith(join(this.root, 'blobs') + sep) && this.bornBetween(path, since, at));
    return [...new Set([...named, ...born])];
  }

  bornBetween(path: string, since: number, at: number): boolean {
    const birth = this.birthOf(path, at);
    return birth !== undefined && birth.call.began > since;
  }

  /** Names are given to whole files: nothing is opened for writing under the name that others read. */
  writtenInPlace(): readonly string[] {
    const places = ['blobs', 'log', 'checkpoints'].map((folder) => join(this.root, folder) + sep);
    return this.done
      .filter(
        ({ name, args, texts: [path] }) =>
          name === 'openat' && /O_WRONLY|O_RDWR/.test(args) && places.some((place) => path?.startsWith(place)),
      )
      .map(({ texts: [path] }) => `${path} was written under its own name`);
  }

  /** A blob goes only after an event that condemns it is on disk. */
  removedTooEarly(log: readonly LoggedFile[]): readonly string[] {
    return this.done
      .filter(({ name, texts: [path] }) => name === 'unlink' && path?.startsWith(join(this.root, 'blobs') + sep))
      .flatMap(({ texts: [path], began }) => {
        const sentence = log.find(({ event, path: file }) => condemns(event, path as string) && this.notOnDisk(file, began).length === 0);
        return sentence === undefined ? [`${path} was removed before an event that condemns it was on disk`] : [];
      });
  }

  /** The blob of a version born in this trace must be on disk before its event has a name. */
  blobAfterEvent(blob: string, event: string): readonly string[] {
    const birth = this.birthOf(event, Infinity);
    return birth === undefined ? [] : this.notOnDisk(blob, birth.call.began).map((fault) => `its event came first: ${fault}`);
  }

  /** @returns what of a file was not known to be on disk when the call at `at` began */
  notOnDisk(path: string, at: number): readonly string[] {
    const birth = this.birthOf(path, at);
    if (birth === undefined && this.isEvent(path) && this.birthOf(path, Infinity) !== undefined) return [`${path} was not there yet`];
    const faults = birth === undefined ? this.notFlushedAgain(path, at) : this.notFlushedBefore(path, birth);
    if (!this.flushed(dirname(path), birth?.call.ended ?? -1, at)) faults.push(`the name ${path} was not flushed`);
    return birth === undefined ? faults : [...faults, ...this.foldersNotOnDisk(path, at)];
  }

  /** @returns what of a folder that got its name with all that is in it was not known to be on disk when the call at `at` began */
  folderNotOnDisk(path: string, at: number): readonly string[] {
    const birth = this.birthOf(path, at);
    if (birth === undefined) return [`${path} was not there yet`];
    const { staged, call } = birth;
    const made = this.done.filter(({ name, args, texts: [file] }) => name === 'openat' && args.includes('O_CREAT') && file?.startsWith(staged + sep)); // prettier-ignore
    const files = made.map(({ texts: [file] }) => file as string);
    return [
      ...(files.length > 0 ? [] : [`there is nothing in ${path}`]),
      ...files.flatMap((file) => this.notFlushedBefore(file, { path: file, staged: file, call })),
      ...(this.flushed(staged, made.at(-1)?.ended ?? -1, call.began) ? [] : [`the names in ${path} were not flushed before it had this name`]), // prettier-ignore
      ...(this.flushed(dirname(path), call.ended, at) ? [] : [`the name ${path} was not flushed`]),
      ...this.foldersNotOnDisk(path, at),
    ];
  }

  /** The folders above a path that were made meanwhile. */
  private foldersNotOnDisk(path: string, at: number): readonly string[] {
    const faults: string[] = [];
    for (let folder = dirname(path); folder.startsWith(this.root); folder = dirname(folder)) {
      const made = this.done.findLast(({ name, texts, ended }) => name === 'mkdir' && texts[0] === folder && ended < at);
      if (!this.flushed(dirname(folder), made?.ended ?? -1, at)) faults.push(`the name of the folder ${folder} was not flushed`);
    }
    return faults;
  }

  /** A file that another process named: its bytes may not be on disk. An event has its name only since they are. */
  private notFlushedAgain(path: string, at: number): string[] {
    return this.isEvent(path) || this.flushed(path, -1, at) ? [] : [`the bytes of ${path} were not flushed`];
  }

  private notFlushedBefore(path: string, { staged, call }: Birth): string[] {
    const written = this.done.findLast(({ name, texts }) => /write/.test(name) && texts[0] === staged);
    return this.flushed(staged, written?.ended ?? -1, call.began)
      ? []
      : [`the bytes of ${path} were not flushed before they had this name`];
  }

  private isEvent(path: string): boolean {
    return path.startsWith(join(this.root, 'log') + sep);
  }

  private flushed(path: string, after: number, before: number): boolean {
    return this.done.some(
      ({ name, texts, began, ended }) => /^f(data)?sync$/.test(name) && texts[0] === path && began > after && ended < before,
    );
  }

  /** When a path got the file that it had at `at`. */
  birthOf(path: string, at: number): Birth | undefined {
    return this.births().findLast((birth) => birth.path === path && birth.call.ended < at);
  }

  births(): readonly Birth[] {
    const births: Birth[] = [];
    for (const call of this.done.filter(({ name }) => /^(link|rename)/.test(name))) {
      const [from, path] = call.texts.filter((text) => text.startsWith(this.root));
      if (from === undefined || path === undefined) continue;
      // a link to a link is of the same bytes
      births.push({ path, call, staged: births.findLast((birth) => birth.path === from)?.staged ?? from });
    }
    return births;
  }
}

interface Birth {
  readonly path: string;
  /** The link or the rename that made it. */
  readonly call: Call;
  /** The path under which its bytes were written. */
  readonly staged: string;
}

export async function eventsOf(root: string): Promise<readonly LoggedFile[]> {
  const files: LoggedFile[] = [];
  const condemned = new Map<string, number>();
  for await (const entry of new FileEventLog(root).read(LOG_START)) {
    const event = entry.event as StoredEvent & RegistryEvent;
    const path = join(root, 'log', `${String(event.seq).padStart(20, '0')}.json`);
    if (event.kind === 'blobs.condemned') for (const digest of event.digests) condemned.set(digest, event.seq);
    files.push({ path, event, blob: event.kind === 'version.published' ? blobPath(root, blobOf(event, condemned)) : undefined });
  }
  return files;
}

function blobOf({ manifest }: Extract<RegistryEvent, { kind: 'version.published' }>, condemned: ReadonlyMap<string, number>): string {
  const digest = manifest.files[0]?.sha256 as string;
  const by = condemned.get(digest);
  return by === undefined ? digest : `${digest}.${by}`;
}

function blobPath(root: string, blob: string): string {
  return join(root, 'blobs', 'sha256', blob.slice(0, 2), blob);
}

/** Whether it is this event that makes an acknowledgement true, whoever wrote it. */
function isNamedBy(ack: Ack, { event }: LoggedFile): boolean {
  if (event.kind !== { publish: 'version.published', promote: 'stage.changed' }[ack.ack]) return false;
  return event.model === ack.model && event.version === ack.version;
}

function condemns(event: RegistryEvent, blob: string): boolean {
  return event.kind === 'blobs.condemned' && event.digests.some((digest) => blob.includes(digest));
}
