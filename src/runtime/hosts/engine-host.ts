import { Damaged } from '../checked-file';
import { EngineError, type EngineModel } from '../engine-model';
import { measure } from '../measure/measure';
import type { HostAnswers, HostFault, HostMessage, HostReply, HostRequest } from './host-protocol';
import { openModel } from './open-model';

/** How often the answer of a run tells the memory of the process, ms: to ask the kernel takes as long as a small model. */
const TELL_MS = 1000;

/** How exactly the kernel knows the time that a thread has used, ms: a tick of 100 Hz. */
const TICK_MS = 10;

/** What runs in an engine host: keeps models in memory and runs them, one request after another, over a channel. */
export class EngineHost {
  private readonly models = new Map<string, EngineModel>();
  private last: Promise<void> = Promise.resolve();
  /** `performance.now()` of the last run that told the memory. */
  private toldAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly send: (reply: HostReply) => void) {}

  /** Takes a request from the channel; its reply is sent when those before it have been. */
  receive(message: HostMessage): void {
    this.last = this.last.then(async () => this.send(await this.reply(message)));
  }

  private async reply(message: HostMessage): Promise<HostReply> {
    try {
      return { id: message.id, value: await this.handle(message) };
    } catch (error) {
      return { id: message.id, error: faultOf(error, message.do) };
    }
  }

  private async handle(request: HostRequest): Promise<HostAnswers[keyof HostAnswers]> {
    if (request.do === 'run') return this.run(request);
    if (request.do === 'import') return this.import(request);
    await this.unload(request.sha256);
    if (request.do === 'load') this.models.set(request.sha256, await (await openModel(request)).load());
    globalThis.gc?.();
    return { rssBytes: process.memoryUsage.rss() };
  }

  private async run({ sha256, inputs, outputs }: Extract<HostRequest, { do: 'run' }>): Promise<HostAnswers['run']> {
    const model = this.models.get(sha256);
    if (model === undefined) throw new EngineError('the model is not loaded');
    const startedAt = performance.now();
    const computed = await model.run(inputs, outputs);
    const endedAt = performance.now();
    const answer = { outputs: computed, inferMs: endedAt - startedAt };
    if (endedAt - this.toldAt < TELL_MS) return answer;
    this.toldAt = endedAt;
    return { ...answer, rssBytes: process.memoryUsage.rss() };
  }

  private async import(source: Extract<HostRequest, { do: 'import' }>): Promise<HostAnswers['import']> {
    const opened = await openModel(source);
    await opened.startEngine();
    const rssBefore = process.memoryUsage.rss();
    const [startedAt, cpuBefore] = [performance.now(), process.threadCpuUsage()];
    const model = await opened.load();
    const { user, system } = process.threadCpuUsage(cpuBefore);
    // the machine may be busy with others, and a model is loaded once only; the kernel counts by its ticks
    const loadMs = Math.min(performance.now() - startedAt, (user + system) / 1000 + TICK_MS);
    const found = await measure(model, { loadMs, rssBefore });
    this.models.set(source.sha256, model);
    return { ...opened.report, signature: model.signature, measured: { ...found, repeatable: found.repeatable && !opened.random } };
  }

  private async unload(sha256: string): Promise<void> {
    await this.models.get(sha256)?.release();
    this.models.delete(sha256);
  }
}

function faultOf(error: unknown, task: HostRequest['do']): HostFault {
  if (error instanceof Damaged) return { fault: 'damaged', expected: error.expected, actual: error.actual };
  const known = error instanceof EngineError;
  if (task === 'run') return { fault: 'failed', reason: known ? error.message : 'the engine failed for a reason of its own' };
  return { fault: 'refused', reason: known ? error.message : 'its file cannot be read' };
}
