import { Agent, request } from 'node:http';

/** What came of one prediction. Times are `performance.now()`. */
export interface Reply {
  readonly sentAt: number;
  readonly endedAt: number;
  readonly x: number;
  readonly status: number;
  readonly version: number;
  /** Of the executable. */
  readonly digest: string;
  readonly prediction: unknown;
  readonly code: unknown;
}

/** So many may wait for their answers, fewer than the server refuses: on a machine that is busy otherwise the rate is less. */
const MAX_WAITING = 200;

/** Asks for predictions at a rate, whether those before are answered or not, each for another number. */
export class OpenLoop {
  readonly replies: Reply[] = [];
  /** Calls that got no answer at all. */
  readonly failures: Error[] = [];
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 32 });
  private readonly startedAt = performance.now();
  private readonly timer: NodeJS.Timeout;
  private readonly running = new Set<Promise<void>>();
  private sent = 0;
  private skipped = 0;

  /** @param path where the n-th call goes to */
  constructor(
    private readonly origin: string,
    private readonly perSecond: number,
    private readonly path: (n: number) => string,
  ) {
    this.timer = setInterval(() => this.sendDue(), 2);
  }

  /** Sends no more, and waits for what is on its way. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all(this.running);
    this.agent.destroy();
  }

  private sendDue(): void {
    const due = ((performance.now() - this.startedAt) / 1000) * this.perSecond;
    while (this.sent + this.skipped < due) {
      if (this.running.size >= MAX_WAITING) {
        this.skipped++;
        continue;
      }
      const call: Promise<void> = this.call(++this.sent)
        .catch((error: Error) => void this.failures.push(error))
        .finally(() => this.running.delete(call));
      this.running.add(call);
    }
  }

  private call(n: number): Promise<void> {
    const x = n % 2 ** 20; // no two in flight are alike, and FP32 holds every multiple of it that is asked for
    const sentAt = performance.now();
    const headers = { 'Content-Type': 'application/json' };
    return new Promise((resolve, reject) => {
      const outgoing = request(this.origin + this.path(n), { method: 'POST', headers, agent: this.agent }, (incoming) => {
        let text = '';
        incoming.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        incoming.on('error', reject).on('end', () => {
          const { predictions, code } = JSON.parse(text) as { readonly predictions?: readonly [{ prediction: unknown }]; code?: unknown };
          const { 'x-model-version': version, 'x-model-digest': digest } = incoming.headers;
          const said = { version: Number(version), digest: String(digest), prediction: predictions?.[0].prediction, code };
          this.replies.push({ sentAt, endedAt: performance.now(), x, status: incoming.statusCode ?? 0, ...said });
          resolve();
        });
      });
      outgoing.on('error', reject).end(JSON.stringify({ instances: [[x]] }));
    });
  }
}
