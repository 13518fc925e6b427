import { failing, identity, linear, mapOutput } from '../../../test/onnx/models';
import { DTYPE, floats, onnxModel } from '../../../test/onnx/onnx-writer';
import { column, ModelFolder } from '../../../test/process/model-folder';
import { EngineHost } from './engine-host';
import type { HostReply, HostRequest } from './host-protocol';
import type { Tensor } from '../tensor';

describe(EngineHost.name, () => {
  const models = new ModelFolder();
  let host: EngineHost;
  let replies: HostReply[];
  let arrived: () => void;
  let lastId = 0;

  afterAll(() => models.remove());
  beforeEach(() => {
    replies = [];
    host = new EngineHost((reply) => {
      replies.push(reply);
      arrived();
    });
  });

  /** Sends requests at once, as the channel may. @returns their replies without the ids, in the order in which they came */
  async function ask(...requests: readonly HostRequest[]): Promise<readonly object[]> {
    const awaited = requests.map((request) => ({ ...request, id: ++lastId }));
    await new Promise<void>((resolve) => {
      arrived = () => awaited.every(({ id }) => replies.some((reply) => reply.id === id)) && resolve();
      for (const request of awaited) host.receive(request);
    });
    return replies.splice(0).map(({ id: _, ...reply }) => reply);
  }

  const run = (sha256: string, x: Tensor): HostRequest => ({ do: 'run', sha256, inputs: [x], outputs: ['y'] });
  const index = (value: bigint): Tensor => ({ name: 'x', datatype: 'INT64', shape: [1], data: BigInt64Array.of(value) });
  const answer = (value: number) => ({
    value: expect.objectContaining({ outputs: [column('y', value)], inferMs: expect.any(Number) }),
  });
  const DONE = { value: { rssBytes: expect.any(Number) } };
  const NOT_LOADED = { error: { fault: 'failed', reason: 'the model is not loaded' } };

  it('imports a model by telling its signature and its cost, and keeps it to be tried', async () => {
    const file = models.file(linear([[2], [3]]));
    const signature = {
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 1] }],
    };
    const x = { name: 'x', datatype: 'FP32', shape: [1, 2], data: Float32Array.of(1, 1) } as const;
    const measured = expect.objectContaining({ batchable: true, exactInBatches: true, repeatable: true });
    const report = { engine: 'onnx', signature, unbounded: [], initializerBytes: 12, options: {}, measured };
    expect(await ask({ do: 'import', ...file }, run(file.sha256, x))).toEqual([{ value: report }, answer(5)]);
  });

  it('loads, runs and unloads, and answers in the order of the requests', async () => {
    const file = models.file(linear([[2]]));
    const replied = await ask(
      run(file.sha256, column('x', 1)),
      { do: 'load', ...file },
      run(file.sha256, column('x', 3)),
      run(file.sha256, column('x', 4)),
      { do: 'unload', sha256: file.sha256 },
      run(file.sha256, column('x', 5)),
    );
    expect(replied).toEqual([NOT_LOADED, DONE, answer(6), answer(8), DONE, NOT_LOADED]);
  });

  it('tells its memory with a run, once a second at most', async () => {
    const file = models.file(linear([[2]]));
    const now = jest.spyOn(performance, 'now');
    const told = async (at: number): Promise<boolean> => {
      now.mockReturnValue(at);
      const [reply] = await ask(run(file.sha256, column('x', 1)));
      return 'rssBytes' in (reply as { readonly value: object }).value;
    };
    await ask({ do: 'load', ...file });
    const answers = [await told(5000), await told(5001), await told(5999), await told(6000), await told(6001), await told(7000)];
    now.mockRestore();
    expect(answers).toEqual([true, false, false, true, false, true]);
  });

  it('collects the bytes of a file that came or left before it tells its memory, and nothing after a run', async () => {
    const file = models.file(linear([[2]]));
    const collect = jest.fn();
    const before = globalThis.gc;
    globalThis.gc = collect;
    await ask({ do: 'load', ...file });
    await ask(run(file.sha256, column('x', 1)));
    expect(collect).toHaveBeenCalledTimes(1);
    await ask({ do: 'unload', sha256: file.sha256 });
    expect(collect).toHaveBeenCalledTimes(2);
    globalThis.gc = before;
  });

  it('takes a model twice, and unloads one that it does not have', async () => {
    const file = models.file(linear([[2]]));
    const replied = await ask(
      { do: 'unload', sha256: file.sha256 },
      { do: 'load', ...file },
      { do: 'load', ...file },
      run(file.sha256, column('x', 3)),
    );
    expect(replied).toEqual([DONE, DONE, DONE, answer(6)]);
  });

  const asking = (task: 'import' | 'load', path: string, sha256: string): HostRequest => ({ do: task, path, sha256 });

  it.each(['import', 'load'] as const)('refuses at %s what is no model', async (task) => {
    const whole = linear([[2], [3]]);
    for (const bytes of [Buffer.from('garbage'), Buffer.alloc(0), whole.subarray(0, whole.length - 20), whole.subarray(0, 30)]) {
      const { path, sha256 } = models.file(bytes);
      expect(await ask(asking(task, path, sha256))).toEqual([{ error: { fault: 'refused', reason: expect.any(String) } }]);
    }
  });

  it.each(['import', 'load'] as const)('says at %s that the bytes are not those that were asked for', async (task) => {
    const { path, sha256: actual } = models.file(linear([[2]]));
    const expected = 'a'.repeat(64);
    expect(await ask(asking(task, path, expected))).toEqual([{ error: { fault: 'damaged', expected, actual } }]);
  });

  it('refuses a file that is not there, without naming its path', async () => {
    const replied = await ask({ do: 'load', path: `${models.path}/nothing`, sha256: 'a'.repeat(64) });
    expect(replied).toEqual([{ error: { fault: 'refused', reason: 'its file cannot be read' } }]);
  });

  it('fails on an input that the model cannot compute, and computes the next', async () => {
    const file = models.file(failing());
    const [, failed, next] = await ask({ do: 'load', ...file }, run(file.sha256, index(7n)), run(file.sha256, index(2n)));
    expect(failed).toEqual({ error: { fault: 'failed', reason: expect.stringContaining('indices element out of data bounds') } });
    expect(next).toMatchObject({ value: { outputs: [{ data: Float32Array.of(30) }] } });
  });

  it('fails on a tensor whose elements do not fill its shape, and says so', async () => {
    const file = models.file(linear([[2]]));
    const [, failed] = await ask({ do: 'load', ...file }, run(file.sha256, { ...column('x', 1), shape: [2, 1] }));
    expect(failed).toEqual({ error: { fault: 'failed', reason: expect.stringContaining('does not match data length') } });
  });

  it('cuts off the maps that scikit-learn exports, at an import and at a load, and says so and what the classes are', async () => {
    const file = models.file(mapOutput(['cat', 'dog', 'emu']));
    const outputs = [{ name: 'label' }, { name: 'output_probability', datatype: 'FP32', shape: [-1, 3] }];
    const [report, , answered] = await ask(
      { do: 'import', ...file },
      { do: 'load', ...file },
      { do: 'run', sha256: file.sha256, inputs: [{ ...column('x', 1, 0), shape: [1, 2] }], outputs: ['output_probability'] },
    );
    expect(report).toMatchObject({
      value: { labels: ['cat', 'dog', 'emu'], options: { zipMap: 'cut off' }, signature: { outputs }, unbounded: [] },
    });
    expect(answered).toMatchObject({ value: { outputs: [{ name: 'output_probability', shape: [1, 3] }] } });
  });

  it('never takes a model for repeatable that draws by chance, however rarely that shows', async () => {
    const nodes = [
      { op: 'RandomUniformLike', inputs: ['x'], outputs: ['drawn'] },
      { op: 'Mul', inputs: ['drawn', 'zero'], outputs: ['nothing'] },
      { op: 'Add', inputs: ['x', 'nothing'], outputs: ['y'] },
    ];
    const value = (name: string) => ({ name, dtype: DTYPE.float32, dims: ['N', 1] });
    const graph = { name: 'chance', nodes, initializers: [floats('zero', [], [0])], inputs: [value('x')], outputs: [value('y')] };
    const { path, sha256 } = models.file(onnxModel({ graph }));
    expect(await ask(asking('import', path, sha256))).toMatchObject([{ value: { measured: { repeatable: false, exactInBatches: true } } }]);
  });

  it('refuses a model whose datatype nobody serves', async () => {
    const { path, sha256 } = models.file(identity(DTYPE.bfloat16, ['N', 2]));
    expect(await ask(asking('import', path, sha256))).toEqual([{ error: { fault: 'refused', reason: expect.stringMatching(/BFLOAT16/) } }]);
  });

  it('refuses a model that fails on its sample', async () => {
    const nodes = [{ op: 'Gather', inputs: ['table', 'x'], outputs: ['y'] }];
    const initializers = [floats('table', [0], [])];
    const inputs = [{ name: 'x', dtype: DTYPE.int64, dims: ['N'] }];
    const outputs = [{ name: 'y', dtype: DTYPE.float32, dims: ['N'] }];
    const file = models.file(onnxModel({ graph: { name: 'empty-table', nodes, initializers, inputs, outputs } }));
    const refusal = { error: { fault: 'refused', reason: expect.stringContaining('out of data bounds') } };
    expect(await ask({ do: 'import', ...file }, { do: 'load', ...file })).toEqual([refusal, refusal]);
  });
});
