import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RuntimeConfig } from '../../src/config/app-config';
import { HostRuntime } from '../../src/runtime/host.runtime';
import { EngineSupervisor } from '../../src/runtime/hosts/engine-supervisor';
import { HostLauncher } from '../../src/runtime/hosts/host-launcher';
import type { ImportReport } from '../../src/runtime/model-runtime.port';
import type { Tensor } from '../../src/runtime/tensor';
import { ModelFolder } from '../process/model-folder';
import { deviation, type RealModel, realModels } from './oracle';

const TOLERANCE = 1e-5;
const DOCS = readFileSync(join(__dirname, '../../docs/MODELS.md'), 'utf8');
const models = realModels();

describe('a model of a real trainer', () => {
  const folder = new ModelFolder();
  const config = new RuntimeConfig();
  const launcher = new HostLauncher(config);
  const supervisor = new EngineSupervisor(config, launcher);
  const runtime = new HostRuntime(supervisor, launcher, config);
  const rows: string[] = [];
  afterAll(async () => {
    await supervisor.onApplicationShutdown();
    folder.remove();
  });

  it.each(models.map((model) => [model.name, model.what, model] as const))(
    '%s, a %s, computes what its trainer computes',
    async (_name, _what, model) => {
      const { inputs, outputs, labels, bytes } = model;
      const file = folder.file(bytes);
      const report = await runtime.import(file, () => [inputs]);
      expect(report.labels).toEqual(labels);
      expect(report.signature.outputs.map(({ name }) => name).toSorted()).toEqual(outputs.map(({ name }) => name).toSorted());
      const names = outputs.map(({ name }) => name);
      const [trial] = report.trials as readonly (readonly Tensor[])[];
      const loaded = await runtime.load({ ...file, bounded: report.unbounded.length === 0 });
      const answer = await loaded.run(() => ({ inputs, outputs: names, engineDeadlineMs: 10_000 }));
      await loaded.unload();
      const off = [trial, answer.outputs].flatMap((computed) =>
        outputs.filter(
          (expected) =>
            !(
              deviation(
                computed?.find(({ name }) => name === expected.name),
                expected,
              ) <= TOLERANCE
            ),
        ),
      );
      expect(off).toEqual([]);
      rows.push(rowOf(model, report));
    },
  );

  it('has a row in docs/MODELS.md, and there is no other row', () => {
    expect(rows).toHaveLength(models.length);
    expect(tableOf(DOCS)).toEqual(rows);
  });
});

/** | model | trainer and exporter | inputs | what the server makes of it | */
function rowOf({ name, what, trainer, exporter, inputs }: RealModel, { options, unbounded, measured }: ImportReport): string {
  const columns = inputs.map(({ datatype, shape }) => `${datatype} [rows, ${shape.slice(1).join(', ')}]`);
  const made = [
    ...Object.entries(options).map(([key, value]) => `${key}: ${value}`),
    unbounded.length === 0 ? 'bounded' : unbounded.join('; '),
    measured.batchable ? 'rows in batches' : 'no batches',
  ];
  return `| \`${name}\` | ${what} | ${trainer}, ${exporter} | ${[...new Set(columns)].join(', ')} | ${made.join('; ')} | ≤ 1e-5 |`;
}

function tableOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => /^\| `[a-z0-9-]+` \| .* \| ≤ 1e-5 \|$/.test(line));
}
