import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setBackend } from '@tensorflow/tfjs-core';
import { input, layers, model as functional, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { LAYER_CASES } from './layer-cases';
import { OPERATOR_CASES } from './operator-cases';
import { RARE_OPERATOR_CASES } from './rare-operator-cases';
import { quietLibrary } from './quiet-library';
import { graphFiles, layersFiles, placeholder, sourceOf, type TfjsFiles } from './tfjs-files';

const ROOT = join(__dirname, '..', '..');
/** What the compiled service looks for packages in before the project's own: the addon is there for this test only. */
const PACKAGES = join(ROOT, 'dist', 'node_modules');
const DATATYPES = { float32: 'FP32', int32: 'INT32', bool: 'BOOL' } as const;
const TOLERANCE = 1e-4;

/** Operators that it has no code for: they are computed as where it is not installed. */
const LACKING = [
  'MaxPoolWithArgmax',
  'LowerBound',
  'UpperBound',
  'DenseBincount',
  'ImageProjectiveTransformV3',
  'SparseSegmentSum',
  'SparseSegmentMean',
  'SparseReshape',
  'SparseFillEmptyRows',
];

jest.setTimeout(600_000);

interface Answer {
  readonly backend?: string;
  /** The least time of some runs. */
  readonly ms?: number;
  readonly error?: string;
  readonly outputs?: readonly { readonly shape: readonly number[]; readonly data: readonly string[] }[];
}

describe('TensorFlow’s own library', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'analytics-api-tfjs-node-'));
  beforeAll(async () => {
    await quietLibrary();
    execFileSync('sh', [join(ROOT, 'scripts', 'tfjs-node.sh'), scratch], { stdio: 'pipe' });
    mkdirSync(join(PACKAGES, '@tensorflow'), { recursive: true });
    symlinkSync(join(scratch, 'node_modules', '@tensorflow', 'tfjs-node'), join(PACKAGES, '@tensorflow', 'tfjs-node'));
  });
  afterAll(() => {
    rmSync(PACKAGES, { recursive: true, force: true });
    rmSync(scratch, { recursive: true, force: true });
  });

  function run(cases: readonly unknown[]): Promise<readonly Answer[]> {
    return new Promise((resolve, reject) => {
      const env = { TF_CPP_MIN_LOG_LEVEL: '2' };
      const child = execFile(process.execPath, [join(__dirname, 'run-with-backend.cjs')], { env, maxBuffer: 2 ** 26 }, (error, stdout) =>
        error === null ? resolve(JSON.parse(stdout) as readonly Answer[]) : reject(error),
      );
      child.stdin?.end(JSON.stringify(cases));
    });
  }

  it.each([
    ['layers', LAYER_CASES, []],
    ['operators', [...OPERATOR_CASES, ...RARE_OPERATOR_CASES], LACKING],
  ] as const)('gives for all %s what was worked out without it', async (_kind, cases, lacking) => {
    const asked: unknown[] = [];
    for (const { files, inputs } of cases) {
      await setBackend('cpu');
      const tensors = inputs.map(({ shape, values, dtype }) => ({ datatype: DATATYPES[dtype], shape, data: values.map(String) })); // JSON has no NaN
      asked.push({ source: { ...sourceOf(await files()), backend: 'tfjs-node' }, inputs: tensors });
    }
    const answers = await run(asked);
    const off = cases.filter(({ outputs }, at) => {
      const given = answers[at]?.outputs ?? [];
      return !outputs.every(({ shape, values }, index) =>
        String(given[index]?.shape) === String(shape) && values.every((wanted, place) => Math.abs(Number(given[index]?.data[place]) - wanted) <= TOLERANCE * Math.max(1, Math.abs(wanted)) || String(wanted) === given[index]?.data[place])); // prettier-ignore
    });
    const elsewhere = cases.filter((_, at) => answers[at]?.backend !== 'tfjs-node');
    expect({ off: off.map(({ name }) => name), elsewhere: elsewhere.map(({ name }) => name) }).toEqual({ off: [], elsewhere: lacking });
  });

  it('is taken where it is faster than WebAssembly, or alone knows an operation, and nowhere else', async () => {
    const kinds: Record<string, TfjsFiles> = {
      'small network': await network(),
      convolutions: await convolutions(),
      'complex numbers': COMPLEX,
    };
    const shapes: Record<string, readonly number[]> = { 'small network': [1, 10], convolutions: [1, 64, 64, 16], 'complex numbers': [4] };
    const table: Record<string, { readonly wasm: number | undefined; readonly 'tfjs-node': number | undefined; readonly taken: string | undefined }> = {}; // prettier-ignore
    for (const [kind, files] of Object.entries(kinds)) {
      const shape = shapes[kind] ?? [];
      const data = Array.from({ length: shape.reduce((all, size) => all * size, 1) }, (_, at) => String(Math.sin(at)));
      const of = (backend?: string) => ({
        source: { ...sourceOf(files), ...(backend && { backend }) },
        inputs: [{ datatype: 'FP32', shape, data }],
      });
      const [wasm, node, taken] = await run([of('wasm'), of('tfjs-node'), of()]);
      table[kind] = { wasm: wasm?.backend === 'wasm' ? wasm.ms : undefined, 'tfjs-node': node?.ms, taken: taken?.backend };
    }
    console.info(table);
    const taken = Object.fromEntries(Object.entries(table).map(([kind, row]) => [kind, row.taken]));
    expect(taken).toEqual({ 'small network': 'wasm', convolutions: 'tfjs-node', 'complex numbers': 'tfjs-node' });
    expect(table['small network']!.wasm).toBeLessThan(table['small network']!['tfjs-node']!);
    expect(table['convolutions']!['tfjs-node']).toBeLessThan(table['convolutions']!.wasm!);
    expect(table['complex numbers']!.wasm).toBeUndefined();
  });
});

const COMPLEX = graphFiles([
  placeholder('x', [4]),
  { name: 'c', op: 'Complex', input: ['x', 'x'] },
  { name: 'y', op: 'ComplexAbs', input: ['c'] },
]);

async function network(): Promise<TfjsFiles> {
  await setBackend('cpu');
  const x = input({ shape: [10] });
  const hidden = [64, 64].reduce((from, units) => layers.dense({ units, activation: 'relu' }).apply(from) as SymbolicTensor, x);
  return layersFiles(functional({ inputs: x, outputs: layers.dense({ units: 1 }).apply(hidden) as SymbolicTensor }));
}

async function convolutions(): Promise<TfjsFiles> {
  await setBackend('cpu');
  const x = input({ shape: [64, 64, 16] });
  const made = [32, 32, 32].reduce((from, filters) => layers.conv2d({ filters, kernelSize: 3, activation: 'relu' }).apply(from) as SymbolicTensor, x); // prettier-ignore
  return layersFiles(functional({ inputs: x, outputs: layers.globalAveragePooling2d({}).apply(made) as SymbolicTensor }));
}
