import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const SCRIPT = resolve(__dirname, '../../scripts/dev.mjs');
const TSCONFIG = {
  compilerOptions: {
    module: 'nodenext',
    target: 'es2023',
    lib: ['es2023', 'dom'],
    types: [],
    rootDir: 'src',
    outDir: 'dist',
    sourceMap: true,
  },
  include: ['src'],
};
const STEP_MS = 60_000; // a cold tsc on a busy machine; polling adds seconds
const TEST_MS = 4 * STEP_MS;

const NODE_TYPES = 'declare const process: { pid: number; on(signal: string, listener: () => void): void };';
const serverThatSays = (word: string) => `${NODE_TYPES}\nconsole.log('${word}', process.pid);\nsetInterval(() => {}, 1000);\n`;

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** On Linux; elsewhere none are seen. */
function childrenOf(pid: number): readonly number[] {
  if (process.platform !== 'linux') return [];
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
}

/** Whether the process asks Linux to report changes of files. */
function listensToEvents(pid: number): boolean {
  return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === 'anon_inode:inotify');
}

/** A project in a folder of its own, with the script running in it. */
class Project {
  output = '';

  private constructor(
    private readonly folder: string,
    readonly dev: ChildProcess,
  ) {
    for (const stream of [dev.stdout, dev.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
  }

  static async running(source: string, env: NodeJS.ProcessEnv = {}): Promise<Project> {
    const folder = await mkdtemp(join(tmpdir(), 'dev-script-'));
    await mkdir(join(folder, 'src'));
    await symlink(resolve(__dirname, '../../node_modules'), join(folder, 'node_modules'));
    await writeFile(join(folder, 'tsconfig.build.json'), JSON.stringify(TSCONFIG));
    await writeFile(join(folder, 'src/main.ts'), source);
    const dev = spawn(process.execPath, [SCRIPT], {
      cwd: folder,
      env: { ...process.env, POLL: undefined, ...env },
      stdio: 'pipe',
      detached: true,
    });
    return new Project(folder, dev);
  }

  edit(source: string): Promise<void> {
    return writeFile(join(this.folder, 'src/main.ts'), source);
  }

  async sees(pattern: RegExp): Promise<RegExpExecArray> {
    const deadline = Date.now() + STEP_MS;
    for (;;) {
      const found = pattern.exec(this.output);
      if (found) return found;
      if (Date.now() > deadline) throw new Error(`no ${pattern.source} in:\n${this.output}`);
      await sleep(50);
    }
  }

  /** The process id of the server that said `word`. */
  async serverSaying(word: string): Promise<number> {
    return Number((await this.sees(new RegExp(`${word} (\\d+)\\n`)))[1]);
  }

  /** @returns the script's exit code */
  async interrupt(): Promise<number | null> {
    if (this.dev.exitCode === null && this.dev.signalCode === null) {
      const timer = setTimeout(() => this.kill(), 10_000);
      this.dev.kill('SIGINT');
      await once(this.dev, 'exit');
      clearTimeout(timer);
    }
    return this.dev.exitCode;
  }

  /** For a script that does not do what it should: ends it, its compiler and the last server it started. */
  private kill(): void {
    const server = [...this.output.matchAll(/^\w+ (\d+)$/gm)].at(-1)?.[1];
    for (const group of [this.dev.pid, server]) if (group && isAlive(Number(group))) process.kill(-Number(group), 'SIGKILL');
  }

  async remove(): Promise<void> {
    await this.interrupt();
    await rm(this.folder, { recursive: true, force: true });
  }
}

describe('scripts/dev.mjs', () => {
  let project: Project;

  afterEach(() => project.remove(), STEP_MS);

  it.each([
    ['events of the file system', {}],
    ['polling', { POLL: '1' }],
  ])(
    'runs what it compiled, runs a change in its place, and takes both away at Ctrl-C, by %s',
    async (_way, env) => {
      project = await Project.running(serverThatSays('first'), env);
      const first = await project.serverSaying('first');
      await project.edit(serverThatSays('second'));
      const second = await project.serverSaying('second');

      expect([isAlive(first), isAlive(second)]).toEqual([false, true]);
      const both = childrenOf(project.dev.pid!);
      expect(await project.interrupt()).toBe(0);
      expect([second, ...both].filter(isAlive)).toEqual([]);
    },
    TEST_MS,
  );

  it.each([
    ['listens to the file system', {}, true],
    ['does not listen to the file system with POLL=1', { POLL: '1' }, false],
  ])(
    '%s',
    async (_title, env, expected) => {
      project = await Project.running(serverThatSays('up'), env);
      await project.serverSaying('up');
      if (process.platform !== 'linux') return;
      expect(childrenOf(project.dev.pid!).some(listensToEvents)).toBe(expected);
    },
    TEST_MS,
  );

  it(
    'leaves the server running while the source has an error',
    async () => {
      project = await Project.running(serverThatSays('first'));
      const first = await project.serverSaying('first');
      await project.edit(`const wrong: number = 'text';\n${serverThatSays('wrong')}`);
      await project.sees(/TS2322[^]*Found 1 error/);
      expect(isAlive(first)).toBe(true);

      await project.edit(serverThatSays('right'));
      await project.serverSaying('right');
      expect(project.output).not.toMatch(/wrong \d/);
    },
    TEST_MS,
  );

  it(
    'says that the server ended by itself, and starts it at the next change',
    async () => {
      project = await Project.running(`throw new Error('no port');\nexport {};\n`);
      await project.sees(/src\/main\.ts:1:7[^]*ended by itself \(code 1\)/); // the source's line: source maps are on
      await project.edit(serverThatSays('cured'));
      expect(isAlive(await project.serverSaying('cured'))).toBe(true);
    },
    TEST_MS,
  );

  it(
    'kills a server that does not end within five seconds',
    async () => {
      project = await Project.running(`${serverThatSays('deaf')}process.on('SIGINT', () => console.log('heard'));\n`);
      const first = await project.serverSaying('deaf');
      await project.edit(serverThatSays('second'));
      await project.sees(/heard/);
      await project.serverSaying('second');
      expect(isAlive(first)).toBe(false);
      expect(project.output.match(/heard/g)).toHaveLength(1);
    },
    TEST_MS,
  );
});

it('scripts/dev.mjs --help prints three lines', () => {
  const { status, stdout } = spawnSync(process.execPath, [SCRIPT, '--help'], { encoding: 'utf8' });
  expect(status).toBe(0);
  expect(stdout.trimEnd().split('\n')).toHaveLength(3);
});
