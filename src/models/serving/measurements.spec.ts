import { mkdtempSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AnyRuntime, MEASURED } from '../../../test/process/any-runtime';
import { ModelsConfig, RuntimeConfig } from '../../config/app-config';
import type { Measured } from '../../runtime/model-runtime.port';
import { DerivedFiles } from '../../storage/derived-files';
import { MemoryBlobStore } from '../../storage/memory-blob.store';
import { Measurements } from './measurements';
import { ModelResidency } from './model-residency';
import type { VersionRecord } from '../registry/registry-records';

const EXECUTABLE = 'ab'.repeat(32);
const OTHER = 'cd'.repeat(32);

class MachineRuntime extends AnyRuntime {
  constructor(override readonly machine: 'any') {
    super();
  }
}

/** What a processor of that name measured. */
const on = (machine: string): Measured => ({ ...MEASURED, machine, memoryBytes: 5_000_000, curve: [{ rows: 1, micros: 3.5 }] });

describe(Measurements, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'measurements-'));
  afterAll(() => rm(scratch, { recursive: true }));

  let root: string;
  beforeEach(async () => void (root = await mkdtemp(join(scratch, 'root-'))));

  /** A process that was just started, on a machine. */
  const started = (machine = 'any', folder = root): Measurements => {
    return new Measurements(new DerivedFiles(folder), new MachineRuntime(machine as 'any'));
  };
  const folder = () => join(root, 'derived', 'measured');

  it('remembers what it was told, of each executable its own', async () => {
    const measurements = started();
    await measurements.keep(EXECUTABLE, on('any'));
    expect(measurements.of(EXECUTABLE)).toEqual(on('any'));
    expect(await measurements.find(EXECUTABLE)).toEqual(on('any'));
    expect(measurements.of(OTHER)).toBeUndefined();
    expect(await measurements.find(OTHER)).toBeUndefined();
  });

  it('knows after a restart what was measured before it, at once from the moment on in which it was looked for', async () => {
    await started().keep(EXECUTABLE, on('any'));
    const measurements = started();
    expect(measurements.of(EXECUTABLE)).toBeUndefined();
    expect(await measurements.find(EXECUTABLE)).toEqual(on('any'));
    expect(measurements.of(EXECUTABLE)).toEqual(on('any'));
  });

  it('looks for a file only until it has found it', async () => {
    await started().keep(EXECUTABLE, on('any'));
    const measurements = started();
    await measurements.find(EXECUTABLE);
    await rm(folder(), { recursive: true });
    expect(await measurements.find(EXECUTABLE)).toEqual(on('any'));
  });

  it('takes the latest measurement for true', async () => {
    const measurements = started();
    await measurements.keep(EXECUTABLE, on('any'));
    await measurements.keep(EXECUTABLE, { ...on('any'), loadMs: 7 });
    expect(measurements.of(EXECUTABLE)?.loadMs).toBe(7);
    expect((await started().find(EXECUTABLE))?.loadMs).toBe(7);
  });

  it('does not know what another machine measured, and keeps it for that one', async () => {
    await started('a').keep(EXECUTABLE, on('a'));
    expect(await started('b').find(EXECUTABLE)).toBeUndefined();
    await started('b').keep(EXECUTABLE, { ...on('b'), loadMs: 7 });
    expect(await started('a').find(EXECUTABLE)).toEqual(on('a'));
    expect(await started('b').find(EXECUTABLE)).toEqual({ ...on('b'), loadMs: 7 });
  });

  it('remembers without a disk that takes it', async () => {
    await writeFile(join(root, 'derived'), 'a file');
    const measurements = started();
    await measurements.keep(EXECUTABLE, on('any'));
    expect(await measurements.find(EXECUTABLE)).toEqual(on('any'));
    expect(await started().find(EXECUTABLE)).toBeUndefined();
  });

  describe('where something else has the name of a measurement', () => {
    const whole = on('any');
    const GARBAGE: readonly (readonly [string, string])[] = [
      ['nothing', ''],
      ['null', 'null'],
      ['a number', '5'],
      ['a text', '"any"'],
      ['a list', '[]'],
      ['an object without anything', '{}'],
      ['an object without a machine', JSON.stringify({ ...whole, machine: undefined })],
      ['what another machine measured', JSON.stringify(on('another'))],
      ['an object that has the machine only', '{"machine":"any"}'],
      ['an object without a curve', JSON.stringify({ ...whole, curve: undefined })],
      ['a curve that is null', JSON.stringify({ ...whole, curve: null })],
      ['a curve with null in it', JSON.stringify({ ...whole, curve: [null] })],
      ['a curve without times', JSON.stringify({ ...whole, curve: [{ rows: 1 }] })],
      ['a memory that is a text', JSON.stringify({ ...whole, memoryBytes: 'much' })],
      ['a memory beyond all numbers', JSON.stringify(whole).replace('5000000', '1e999')],
      ['no memory', JSON.stringify({ ...whole, memoryBytes: null })],
      ['no word of batches', JSON.stringify({ ...whole, batchable: undefined })],
    ];

    /** Puts something where a measurement was. */
    async function replaceBy(content: string): Promise<void> {
      await started().keep(EXECUTABLE, whole);
      const [name = ''] = await readdir(folder());
      await writeFile(join(folder(), name), content);
    }

    it.each(GARBAGE)('knows nothing, and can measure again: %s', async (_what, content) => {
      await replaceBy(content);
      const measurements = started();
      expect(await measurements.find(EXECUTABLE)).toBeUndefined();
      expect(measurements.of(EXECUTABLE)).toBeUndefined();
      await measurements.keep(EXECUTABLE, whole);
      expect(await started().find(EXECUTABLE)).toEqual(whole);
    });

    it.each(GARBAGE)('loads a model as one that was never measured: %s', async (_what, content) => {
      await replaceBy(content);
      const blobs = new MemoryBlobStore();
      const staged = await blobs.stage(bytesOf('a model'), 100);
      await blobs.put(staged);
      await staged.discard();
      const runtime = new MachineRuntime('any');
      const loads = jest.spyOn(runtime, 'load');
      const config = Object.assign(new RuntimeConfig(), { modelMemoryMb: '64' });
      const residency = new ModelResidency(runtime, blobs, started(), config, Object.assign(new ModelsConfig(), { required: [] }));
      const size = 4_000_000;
      const manifest = { files: [{ path: 'model.onnx', size, sha256: staged.digest }], metadata: {} };
      const record = {
        model: 'iris',
        version: 1,
        executable: EXECUTABLE,
        engine: 'onnx',
        blob: staged.digest,
        blobs: [staged.digest],
        manifest,
      };
      const served = await residency.load(record as unknown as VersionRecord);
      expect(residency.usedBytes).toBe(3 * size);
      expect(loads.mock.calls).toEqual([[{ engine: 'onnx', path: expect.any(String), sha256: staged.digest, bounded: false }]]);
      await residency.retire(served);
      await blobs.dispose();
    });
  });

  it('keeps what it was told as it was told', async () => {
    await started().keep(EXECUTABLE, on('any'));
    const [name = ''] = await readdir(folder());
    expect(name).toMatch(new RegExp(`^${EXECUTABLE}-[0-9a-f]{12}\\.json$`));
    expect(JSON.parse(await readFile(join(folder(), name), 'utf8'))).toEqual(on('any'));
  });
});

async function* bytesOf(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text);
}
