import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { until } from '../process/processes';
import { describeInProcess } from './test-app';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--remote-debugging-port=0'];
const START_MS = 20_000;

const CHROMIUM = (process.env['PATH'] ?? '')
  .split(delimiter)
  .flatMap((folder) => NAMES.map((name) => join(folder, name)))
  .find((path) => existsSync(path));

/** `describe` where there is a browser; else it says which one is missing, and skips. */
export const describeWithBrowser = CHROMIUM === undefined ? missing : describeInProcess;

function missing(what: string, tests: () => void): void {
  process.stderr.write(`No chromium on this machine, so ${what} is not tried (apt-get install chromium)\n`);
  describe.skip(what, tests);
}

/** A real browser with one page open. */
export class Browser {
  private constructor(
    private readonly process: ChildProcess,
    private readonly profile: string,
  ) {}

  static open(url: string): Browser {
    const profile = mkdtempSync(join(tmpdir(), 'chromium-'));
    // a group of its own, so that none of its many processes stays
    return new Browser(
      spawn(CHROMIUM as string, [...FLAGS, `--user-data-dir=${profile}`, url], { stdio: 'ignore', detached: true }),
      profile,
    );
  }

  /** Runs an expression in the page. @returns its value, which must be plain JSON */
  async evaluate(expression: string): Promise<unknown> {
    const socket = new WebSocket(await this.debuggerOfPage());
    await once(socket, 'open');
    socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression, awaitPromise: true, returnByValue: true } }));
    const [{ data }] = (await once(socket, 'message')) as [{ data: string }];
    socket.close();
    const { result } = JSON.parse(data) as { result?: { result: { value: unknown }; exceptionDetails?: object } };
    if (result === undefined) return undefined; // the page was on its way to another one
    if (result.exceptionDetails !== undefined) throw new Error(JSON.stringify(result.exceptionDetails));
    return result.result.value;
  }

  async close(): Promise<void> {
    const ended = once(this.process, 'close');
    process.kill(-(this.process.pid as number), 'SIGKILL');
    await ended;
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }

  private async debuggerOfPage(): Promise<string> {
    const file = join(this.profile, 'DevToolsActivePort');
    const port = await until(
      'the browser listens',
      () => (existsSync(file) && readFileSync(file, 'utf8').split('\n')[0]) || undefined,
      START_MS,
    );
    const page = async (): Promise<string | undefined> => {
      const targets = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {
        type: string;
        webSocketDebuggerUrl: string;
      }[];
      return targets.find(({ type }) => type === 'page')?.webSocketDebuggerUrl;
    };
    return until('the page is open', page, START_MS);
  }
}
