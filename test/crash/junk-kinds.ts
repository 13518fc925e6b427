import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';

/** Something that people, their tools or their file systems leave in the folder of a registry. */
export interface JunkKind {
  readonly what: string;
  /** Puts it there. @returns where, from the root on */
  make(registry: JunkedRegistry): readonly string[];
}

/** A registry for junk to be put into. */
export class JunkedRegistry {
  constructor(readonly root: string) {}

  /** A file; the folders that it needs are made. */
  file(path: string, content: string | Buffer = 'junk', mode = 0o644): string {
    writeFileSync(this.at(path), content);
    chmodSync(join(this.root, path), mode);
    return path;
  }

  dated(path: string, year: number): string {
    this.file(path);
    const seconds = Date.UTC(year) / 1000;
    utimesSync(join(this.root, path), seconds, seconds);
    return path;
  }

  folder(path: string, mode = 0o755): string {
    this.file(join(path, 'inside'));
    chmodSync(join(this.root, path), mode);
    return path;
  }

  link(path: string, target: string): string {
    symlinkSync(target, this.at(path));
    return path;
  }

  /** A second name of a file of the registry. */
  hardLink(path: string, of: string): string {
    linkSync(join(this.root, of), this.at(path));
    return path;
  }

  pipe(path: string): string {
    execFileSync('mkfifo', [this.at(path)]);
    return path;
  }

  /** What a server that was killed leaves of the socket on which it listened. */
  socket(path: string): string {
    const cwd = dirname(this.at(path)); // the name of a socket may have 107 bytes only
    const listen = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', listen, basename(path)], { cwd, timeout: 10_000 });
    return path;
  }

  /** `/dev/zero` under another name: it has no end. */
  device(path: string): string {
    execFileSync('mknod', [this.at(path), 'c', '1', '5']);
    return path;
  }

  /** Some blob of the registry, from the root on. */
  get blob(): string {
    const prefix = readdirSync(join(this.root, BLOBS)).find((name) => /^[0-9a-f]{2}$/.test(name) && !UNUSED.includes(name));
    const name = readdirSync(join(this.root, BLOBS, prefix!)).find((found) => /^[0-9a-f]{64}$/.test(found));
    return join(BLOBS, prefix!, name!);
  }

  private at(path: string): string {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    return join(this.root, path);
  }
}

const BLOBS = join('blobs', 'sha256');
/** First digits that no blob of the tests has. */
export const UNUSED = ['00', 'f0', 'f1', 'f2', 'f3', 'f4', 'f5', 'f6', 'f7', 'f8', 'f9', 'fa'];
/** The path of a blob with these first digits. */
const blobLike = (prefix: string, folder = prefix): string => join(BLOBS, folder, prefix.padEnd(64, '0'));

const kind = (what: string, make: (registry: JunkedRegistry) => string | readonly string[]): JunkKind => ({
  what,
  make: (registry) => [make(registry)].flat(),
});

/** All that anybody may make. Each can be alone in a registry, or all of them together. */
export const JUNK: readonly JunkKind[] = [
  kind('a zero-byte file', (at) => at.file('empty', '')),
  kind('a README', (at) => at.file('README.txt')),
  kind('what macOS leaves', (at) => [
    at.file('.DS_Store'),
    at.file('log/.DS_Store'),
    at.file(join(BLOBS, '.DS_Store')),
    at.file('log/._x'),
  ]),
  kind('what Windows leaves', (at) => [at.file('Thumbs.db'), at.file('log/desktop.ini', '[x]\r\n')]),
  kind('what NFS leaves of a file that was open', (at) => [at.file('.nfs000000000001'), at.file('log/.nfs00000000000a0002')]),
  kind('what fsck leaves', (at) => at.folder('lost+found', 0o700)),
  kind('what Kubernetes makes of a volume', (at) => [at.folder('..2026_01_01'), at.link('..data', '..2026_01_01')]),
  kind('a half-written temporary file', (at) => [at.file('upload.tmp', Buffer.alloc(100)), at.file('blobs/x.part'), at.file('log/x.tmp')]),
  kind('files of 1970', (at) => [at.dated('old', 1970), at.dated('log/old', 1970), at.dated(join(BLOBS, 'old'), 1970)]),
  kind('files of 2100', (at) => [at.dated('new', 2100), at.dated('log/new', 2100), at.dated('.staging/new', 2100)]),
  kind('the right names in capitals', (at) => [at.folder('LOG'), at.folder('Blobs'), at.file('BLOBS'), at.file('log/X.JSON', '{}')]),
  kind('names with line breaks', (at) => [at.file('a\nb'), at.file('log/00000000000000000009.json\n'), at.file(`${blobLike('f0')}\n`)]),
  kind('names in Unicode, in both normal forms', (at) => [at.file('log/\u00e9.json'), at.file('log/e\u0301.json'), at.file('\u202emodel')]),
  kind('event names in other digits', (at) => at.file(`log/${'\uff10'.repeat(19)}\uff19.json`, '{}')),
  kind('names of 255 bytes', (at) => [
    at.file('n'.repeat(255)),
    at.file(`log/${'9'.repeat(250)}.json`),
    at.file(join(BLOBS, 'a'.repeat(255))),
  ]),
  kind('names with blanks, quotes, a dash or a backslash', (at) => [
    at.file('-rf'),
    at.file('log/ '),
    at.file('a "b" \\c'),
    at.file('log/\\'),
  ]),
  kind('unknown folders', (at) => [at.folder('elsewhere'), at.folder('auth/audit'), at.folder('blobs/md5'), at.folder('.git')]),
  kind('files that nobody may read', (at) => [
    at.file('secret', 'x', 0),
    at.file('log/secret', 'x', 0),
    at.file(blobLike('f1') + '.key', 'x', 0),
  ]),
  kind('folders that nobody may read', (at) => [at.folder('locked', 0), at.folder('log/locked', 0), at.folder(join(BLOBS, 'locked'), 0)]),
  kind('a pipe', (at) => [at.pipe('pipe'), at.pipe('log/pipe.json'), at.pipe(join(BLOBS, 'pipe'))]),
  kind('a pipe that is called as a blob', (at) => at.pipe(blobLike('f2'))),
  kind('a pipe that is called as a folder of blobs', (at) => at.pipe(join(BLOBS, 'f3'))),
  kind('a pipe that is called as a checkpoint', (at) => at.pipe('checkpoints/99999999999999999998.json')),
  kind('a pipe in the staging area', (at) => at.pipe('.staging/pipe')),
  kind('a socket', (at) => [at.socket('socket'), at.socket('log/socket')]),
  kind('a socket that is called as a blob', (at) => at.socket(blobLike('f2') + '.2')),
  kind('a link into nowhere', (at) => [
    at.link('nowhere', 'gone'),
    at.link('log/nowhere.json', 'gone'),
    at.link('.staging/nowhere', 'gone'),
  ]),
  kind('a link to itself', (at) => [
    at.link('loop', 'loop'),
    at.link('log/loop', 'loop'),
    at.link('.staging/loop', 'loop'),
    at.link(join(BLOBS, 'loop'), 'loop'),
  ]),
  kind('a link to the folder above', (at) => [at.link('up', '..'), at.link('log/up', '../log'), at.link(join(BLOBS, 'up'), '.')]),
  kind('a link out of the registry', (at) => [
    at.link('out', '/etc'),
    at.link('log/out.json', '/etc/passwd'),
    at.link(join(BLOBS, 'out'), '/etc'),
  ]),
  kind('links that are called as blobs', (at) => [
    at.link(blobLike('f4'), 'gone'),
    at.link(blobLike('f4') + '.1', basename(blobLike('f4') + '.1')),
    at.link(blobLike('f4') + '.2', join('..', '..', '..', at.blob)),
  ]),
  kind('a link to itself that is called as a folder of blobs', (at) => at.link(join(BLOBS, 'f5'), 'f5')),
  kind('an event of one digit', (at) => at.file('log/9.json', '{}')),
  kind('an event with a digit too few, or too many', (at) => [
    at.file(`log/${'2'.padStart(19, '0')}.json`),
    at.file(`log/${'2'.padStart(21, '0')}.json`),
  ]),
  kind('what editors leave of an event', (at) =>
    ['.tmp', '~', '.bak', '.swp', '.1'].map((end) => at.file(`log/00000000000000000009.json${end}`)),
  ),
  kind('a copy of an event', (at) =>
    at.file('log/00000000000000000002 (copy).json', readFileSync(join(at.root, 'log/00000000000000000002.json'))),
  ),
  kind('a log in the log', (at) => [at.file('log/log/00000000000000000002.json', '{}'), at.folder('log/00000000000000000009')]),
  kind('second names of an event and of a blob', (at) => [
    at.hardLink('log/second.json', 'log/00000000000000000001.json'),
    at.hardLink(join(dirname(at.blob), 'second'), at.blob),
    at.hardLink('third', at.blob),
  ]),
  kind('a blob in the folder of other digits', (at) => at.file(blobLike('f6', '00'))),
  kind('what is nearly called as a blob', (at) => ['.tmp', '.', '.x', '.1.2', '.-1', '0'].map((end) => at.file(blobLike('f7') + end))),
  kind('a blob in capitals', (at) => [at.file(blobLike('FA')), at.file(blobLike('FA', 'fa'))]),
  kind('a blob that is a digit short', (at) => at.file(blobLike('f8').slice(0, -1))),
  kind('a folder that is called as a blob', (at) => at.folder(blobLike('f8'))),
  kind('a file that is called as a folder of blobs', (at) => at.file(join(BLOBS, 'f9'))),
  kind('folders of blobs of one and of three digits', (at) => [at.file(blobLike('f0', 'f')), at.file(blobLike('f00'))]),
  kind('blobs that are not in a folder', (at) => [at.file(join(BLOBS, 'f'.repeat(64))), at.file(`blobs/${'f'.repeat(64)}`)]),
  kind('what is nearly called as a checkpoint', (at) =>
    ['9.json', 'x.tmp', '00000000000000000004.json.tmp'].map((name) => at.file(join('checkpoints', name))),
  ),
  kind('checkpoints of other histories', (at) => [
    at.file('checkpoints/99999999999999999999.json', ''),
    at.file('checkpoints/99999999999999999997.json', '{"position":{"seq":1},"state":{}}'),
    at.file('checkpoints/00000000000000100000.json', Buffer.alloc(4096)),
  ]),
  kind('a folder that is called as a checkpoint', (at) => at.folder('checkpoints/00000000000000000001.json')),
  kind('what people keep in the staging area and in quarantine', (at) => [
    ...[at.file('.staging/mine'), at.folder('.staging/folder'), at.file('.staging/1-2-3-4')],
    ...[at.file('.quarantine/notes.txt'), at.folder('.quarantine/folder')],
  ]),
];

/** What only root may make. */
export const JUNK_OF_ROOT: readonly JunkKind[] = [
  kind('a device', (at) => [at.device('zero'), at.device('log/zero.json'), at.device('.staging/zero')]),
  kind('a device that is called as a blob', (at) => at.device(blobLike('f2') + '.3')),
  kind('a device that is called as a checkpoint', (at) => at.device('checkpoints/99999999999999999996.json')),
];

/** How something is now, with everything in it that this user may read: by path, from the root on. */
export function look(root: string, path: string): readonly string[] {
  const full = join(root, path);
  const found = lstatSync(full);
  const { ino, mode, size, mtimeMs } = found;
  const content = found.isFile() ? allowed(() => readFileSync(full, 'base64')) : undefined;
  const target = found.isSymbolicLink() ? readlinkSync(full) : undefined;
  const names = found.isDirectory() ? (allowed(() => readdirSync(full)) ?? []) : [];
  const inside = names.flatMap((name) => look(root, join(path, name)));
  return [JSON.stringify({ path, ino, mode, size, mtimeMs, content, target }), ...inside];
}

/** Lets everybody into the folders that nobody might enter: else they cannot be removed. */
export function unlock(root: string, junk: readonly string[]): void {
  for (const path of junk) {
    const found = lstatSync(join(root, path), { throwIfNoEntry: false });
    if (found?.isDirectory()) chmodSync(join(root, path), 0o755);
  }
}

/** Whether a path from the root on is this junk, or in it. */
export function isOf(junk: readonly string[], path: string): boolean {
  return junk.some((name) => path === name || !relative(name, path).startsWith('..'));
}

function allowed<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return undefined;
    throw error;
  }
}
