import { join } from 'node:path';
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { linear, memoryBomb } from '../../../test/onnx/models';
import { column, ModelFolder } from '../../../test/process/model-folder';
import { endOwnHosts, environmentOf, hostsOf } from '../../../test/process/processes';
import { HostProcess } from './host-process';
import { EngineCrashed, InferenceFailed } from '../runtime.errors';

const ENTRY = join(__dirname, '../../../dist/runtime/hosts/host.main.js');

describe(HostProcess.name, () => {
  const models = new ModelFolder();
  const limit = { milliseconds: 10_000, error: () => new Error('late') };
  const hosts: HostProcess[] = [];
  const start = (memoryMb = 4096): HostProcess => {
    const host = new HostProcess(ENTRY, memoryMb);
    hosts.push(host);
    return host;
  };
  afterEach(async () => {
    for (const host of hosts.splice(0)) {
      host.kill();
      await host.ended;
    }
    expect(hostsOf(process.pid)).toEqual([]);
  });
  afterAll(endOwnHosts);
  afterAll(() => models.remove());

  it('lives in an empty folder and without the environment of the server, and takes the folder with it', async () => {
    process.env['SECRET_CANARY'] = 'x';
    const host = start();
    delete process.env['SECRET_CANARY'];
    await host.ask({ do: 'load', ...models.file(linear([[2]])) }, limit);
    const pid = hostsOf(process.pid)[0]!;
    const folder = readlinkSync(`/proc/${pid}/cwd`);
    const variables = environmentOf(pid)
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split('=', 1)[0])
      .sort();

    expect(readdirSync(folder)).toEqual([]);
    expect(variables).toEqual(['MALLOC_MMAP_THRESHOLD_', 'MALLOC_TRIM_THRESHOLD_', 'ORT_DISABLE_TELEMETRY', 'TF_CPP_MIN_LOG_LEVEL']);
    host.kill();
    await host.ended;
    expect(existsSync(folder)).toBe(false);
  });

  it('refuses work once it has ended', async () => {
    const host = start();
    expect(host.running).toBe(true);
    host.kill();
    await host.ended;
    expect(host.running).toBe(false);
    await expect(host.ask({ do: 'unload', sha256: 'a' }, limit)).rejects.toEqual(new EngineCrashed('it had ended before'));
  });

  it('tells everybody who waits that it ended', async () => {
    const host = start();
    const file = models.file(linear([[2]]));
    const waiting = [host.ask({ do: 'load', ...file }, limit), host.ask({ do: 'unload', sha256: file.sha256 }, limit)];
    host.kill();
    for (const answer of waiting) await expect(answer).rejects.toEqual(new EngineCrashed('SIGKILL'));
  });

  it('throws what the limit says where the answer came too late', async () => {
    const late = new Error('too late');
    const asked = start().ask({ do: 'import', ...models.file(linear([[2]])) }, { milliseconds: 1, error: () => late });
    await expect(asked).rejects.toBe(late);
  });

  it('lets a model that wants too much memory fail, and the next call work', async () => {
    const bomb = models.file(memoryBomb(2));
    const sha256 = bomb.sha256;
    const run = (x: number) => ({ do: 'run', sha256, inputs: [column('x', x)], outputs: ['y'] }) as const;
    const host = start(700);
    await host.ask({ do: 'load', ...bomb }, limit);
    const failed = await host.ask(run(1), limit).catch((error: unknown) => error);
    expect([InferenceFailed, EngineCrashed].some((kind) => failed instanceof kind)).toBe(true);

    const next = host.running ? host : start(700);
    if (next !== host) await next.ask({ do: 'load', ...bomb }, limit);
    expect(await next.ask(run(0), limit)).toMatchObject({ outputs: [column('y', 0)] });
  });
});
