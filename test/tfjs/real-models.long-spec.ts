import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import { engine, io, setBackend, type Tensor as TfjsTensor, tensor } from '@tensorflow/tfjs-core';
import { loadLayersModel } from '@tensorflow/tfjs-layers';
import { RuntimeConfig } from '../../src/config/app-config';
import { HostRuntime } from '../../src/runtime/host.runtime';
import { EngineSupervisor } from '../../src/runtime/hosts/engine-supervisor';
import { HostLauncher } from '../../src/runtime/hosts/host-launcher';
import type { ImportReport } from '../../src/runtime/model-runtime.port';
import type { Tensor } from '../../src/runtime/tensor';
import { useBackend } from '../../src/runtime/tfjs/tfjs-engine';
import { quietLibrary } from './quiet-library';
import { realFiles } from './real-files';
import { sourceOf, type TfjsFiles } from './tfjs-files';

/** |a − b| ≤ this · max(1, the greatest |b| of the output): WebAssembly here, in the host too. */
const TOLERANCE = 1e-5;
/** Where the model leaves the size to its callers. */
const FREE = 256;

jest.setTimeout(1_200_000);

/** The inputs that a report asks for: numbers from 0 to 1, or colours. */
function inputsOf({ signature }: Pick<ImportReport, 'signature'>): readonly Tensor[] {
  return signature.inputs.map(({ name, datatype, shape }) => {
    const sizes = shape.map((size, axis) => (size > 0 ? size : axis === 0 ? 1 : FREE));
    const length = sizes.reduce((all, size) => all * size, 1);
    const data = datatype === 'INT32' ? Int32Array.from({ length }, (_, at) => (at * 31) % 255) : Float32Array.from({ length }, (_, at) => ((at * 31) % 255) / 255); // prettier-ignore
    return { name, datatype, shape: sizes, data };
  });
}

/** What the library makes of it where nobody stands between. */
async function alone(files: TfjsFiles, [first]: readonly Tensor[]): Promise<readonly TfjsTensor[]> {
  const { 'model.json': text = Buffer.of(), ...shards } = files;
  const json = JSON.parse(text.toString()) as { modelTopology: object; weightsManifest: { paths: string[]; weights: [] }[]; signature?: object }; // prettier-ignore
  const weightData = new Uint8Array(Buffer.concat(json.weightsManifest.flatMap(({ paths }) => paths.map((path) => shards[path] as Buffer)))).buffer; // prettier-ignore
  const weightSpecs = json.weightsManifest.flatMap(({ weights }) => weights);
  const { data, shape, datatype } = first as Tensor;
  const x = tensor(data as Float32Array, [...shape], datatype === 'INT32' ? 'int32' : 'float32');
  const handler = io.fromMemory({ ...json, weightSpecs, weightData });
  if (!('node' in json.modelTopology)) return [(await loadLayersModel(handler)).predict(x)].flat();
  const model = await loadGraphModel(handler);
  return [await model.executeAsync(x, model.outputs.map(({ name }) => name))].flat(); // prettier-ignore
}

function furthest({ data }: Tensor, wanted: TfjsTensor): number {
  const values = [...wanted.dataSync()];
  const scale = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  return values.reduce((most, value, at) => Math.max(most, Math.abs(Number(data[at]) - value) / scale), data.length === values.length ? 0 : Number.POSITIVE_INFINITY); // prettier-ignore
}

describe('models that npm packages ship', () => {
  const folder = mkdtempSync(join(tmpdir(), 'analytics-api-real-tfjs-'));
  const config = Object.assign(new RuntimeConfig(), { importDeadlineSeconds: 120 });
  const launcher = new HostLauncher(config);
  const supervisor = new EngineSupervisor(config, launcher);
  const runtime = new HostRuntime(supervisor, launcher, config);
  afterAll(async () => {
    await supervisor.onApplicationShutdown();
    rmSync(folder, { recursive: true, force: true });
  });

  it('are served, and give what TensorFlow.js itself gives', async () => {
    await quietLibrary();
    const off: Record<string, number> = {};
    const rows: string[] = [];
    for (const [name, files] of realFiles(folder)) {
      const source = sourceOf(files);
      const report = await runtime.import(source);
      const { measured, signature } = report;
      const model = await runtime.load({ ...source, backend: 'wasm' });
      const inputs = inputsOf(report);
      const run = () =>
        model.run(() => ({ inputs, outputs: signature.outputs.map(({ name: output }) => output), engineDeadlineMs: 60_000 }));
      const { outputs, inferMs } = await run();
      await useBackend('wasm');
      engine().startScope();
      const wanted = await alone(files, inputs);
      off[name] = Math.max(...outputs.map((output, at) => furthest(output, wanted[at] as TfjsTensor)));
      engine().endScope();
      await setBackend('cpu');
      await model.unload();
      rows.push(`| \`${name}\` | ${measured.backend} | ${Math.round(measured.loadMs)} | ${Math.round(inferMs)} | ${Math.round(measured.memoryBytes / 2 ** 20)} |`); // prettier-ignore
    }
    process.stdout.write(`${rows.join('\n')}\n`);
    expect(Object.keys(off)).toHaveLength(14);
    expect(Object.entries(off).filter(([, far]) => !(far <= TOLERANCE))).toEqual([]);
  });
});
