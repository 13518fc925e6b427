import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { HostAnswers, HostFault, HostMessage, HostReply, HostRequest } from './host-protocol';
import { OnnxError, OnnxModel } from './onnx-model';

/** What runs in an engine host: keeps models in memory and runs them, one request after another, over a channel. */
export class EngineHost {
  private readonly models = new Map<string, OnnxModel>();
  private last: Promise<void> = Promise.resolve();

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
    if (request.do === 'unload') return this.unload(request.sha256);
    const model = await OnnxModel.load(await readChecked(request));
    await model.warmUp();
    if (request.do === 'import') return { engine: 'onnx', signature: model.signature };
    await this.unload(request.sha256);
    this.models.set(request.sha256, model);
    return null;
  }

  private async run({ sha256, inputs, outputs }: Extract<HostRequest, { do: 'run' }>): Promise<HostAnswers['run']> {
    const model = this.models.get(sha256);
    if (model === undefined) throw new OnnxError('the model is not loaded');
    const startedAt = performance.now();
    const computed = await model.run(inputs, outputs);
    return { outputs: computed, inferMs: performance.now() - startedAt };
  }

  private async unload(sha256: string): Promise<null> {
    await this.models.get(sha256)?.release();
    this.models.delete(sha256);
    return null;
  }
}

class Damaged extends Error {
  constructor(
    readonly expected: string,
    readonly actual: string,
  ) {
    super();
  }
}

async function readChecked({ path, sha256 }: { readonly path: string; readonly sha256: string }): Promise<Buffer> {
  const bytes = await readFile(path);
  const actual = createHash('sha256').update(bytes).digest('hex');
  if (actual !== sha256) throw new Damaged(sha256, actual);
  return bytes;
}

function faultOf(error: unknown, task: HostRequest['do']): HostFault {
  if (error instanceof Damaged) return { fault: 'damaged', expected: error.expected, actual: error.actual };
  const reason = error instanceof OnnxError ? error.message : 'its file cannot be read';
  return { fault: task === 'run' ? 'failed' : 'refused', reason };
}
