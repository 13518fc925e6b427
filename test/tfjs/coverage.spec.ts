import { env, setBackend } from '@tensorflow/tfjs-core';
import type { Tensor } from '../../src/runtime/tensor';
import { openTfjs } from '../../src/runtime/tfjs/tfjs-file';
import { LAYER_CASES } from './layer-cases';
import { type Block, type CoverageCase, OPERATOR_CASES } from './operator-cases';
import { RARE_OPERATOR_CASES } from './rare-operator-cases';
import { quietLibrary } from './quiet-library';
import { sourceOf } from './tfjs-files';
import { type CoverageRow, namesWithoutRow, writtenRows } from './coverage-table';
import { BROKEN, OPERATORS } from '../../src/runtime/tfjs/graph-operators';
import { BROKEN_LAYERS, LAYERS } from '../../src/runtime/tfjs/layer-classes';

/** |a − b| ≤ this · max(1, |b|) */
const TOLERANCE = 1e-5;
const DATATYPES = { float32: 'FP32', int32: 'INT32', bool: 'BOOL' } as const;
const ARRAYS = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;
const rows: CoverageRow[] = [];

const tensorOf = (name: string, { shape, values, dtype }: Block): Tensor => ({
  name,
  datatype: DATATYPES[dtype],
  shape,
  data: ARRAYS[dtype].from(values),
});
const furthest = (given: Tensor | undefined, { values }: Block): number =>
  Math.max(
    0,
    ...values.map((wanted, at) =>
      Object.is(given?.data[at], wanted) ? 0 : Math.abs(Number(given?.data[at]) - wanted) / Math.max(1, Math.abs(wanted)),
    ),
  );

/** Operators and classes of layers that were in a model of a row. */
const tried = new Set<string>();
function note(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  const { op, class_name: layer } = value as { readonly op?: string; readonly class_name?: string };
  for (const name of [op, layer]) if (name !== undefined) tried.add(name);
  Object.values(value).forEach(note);
}

async function compute({ files, inputs }: CoverageCase): Promise<{ readonly backend: string; readonly answers: readonly Tensor[] }> {
  const made = await files();
  note((JSON.parse(String(made['model.json'])) as { readonly modelTopology: unknown }).modelTopology);
  const model = await (await openTfjs(sourceOf(made))).load();
  const given = model.signature.inputs.map(({ name }, at) => tensorOf(name, inputs[at] as Block));
  const answers = await model.run(given, model.signature.outputs.map(({ name }) => name)); // prettier-ignore
  await model.release();
  return { backend: String(model.backend), answers };
}

describe.each([
  ['layer', LAYER_CASES],
  ['operator', [...OPERATOR_CASES, ...RARE_OPERATOR_CASES]],
] as const)('every %s', (kind, cases) => {
  beforeAll(async () => {
    await quietLibrary();
    env().set('IS_TEST', true); // the library itself then refuses an operation that keeps what it made on the way
  });
  beforeEach(() => setBackend('cpu'));

  it.each(cases.map((each) => [each.name, each] as const))('%s gives what was worked out without the library', async (name, each) => {
    const { backend, answers } = await compute(each);
    expect(answers.map(({ shape, datatype }) => ({ shape, datatype }))).toEqual(each.outputs.map(({ shape, dtype }) => ({ shape, datatype: DATATYPES[dtype] }))); // prettier-ignore
    const off = Math.max(...each.outputs.map((output, at) => furthest(answers[at], output)));
    expect(off).toBeLessThanOrEqual(TOLERANCE);
    rows.push({ kind, name, backend });
  });
});

describe('docs/TFJS.md', () => {
  it('has a row for every case, and no other', () => {
    expect(rows.length).toBeGreaterThanOrEqual(60);
    expect(writtenRows()).toEqual(rows.map(({ kind, name, backend }) => `| ${kind} | \`${name}\` | ${backend} |`));
  });

  it('names all that is let in and has no row', () => {
    const refused = new Set([...BROKEN, ...BROKEN_LAYERS]);
    const untried = [...LAYERS, ...OPERATORS].filter((name) => !tried.has(name) && !refused.has(name));
    expect(namesWithoutRow()).toEqual(untried);
  });
});
