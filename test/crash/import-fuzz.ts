import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RuntimeConfig } from '../../src/config/app-config';
import type { ModelRuntime } from '../../src/runtime/model-runtime.port';
import { openOnnx } from '../../src/runtime/onnx/onnx-file';
import { ImportDeadlineExceeded, ModelRefused } from '../../src/runtime/runtime.errors';
import { OnnxRefused } from '../../src/runtime/walk/onnx-refused';
import * as models from '../onnx/models';
import { mutate } from '../onnx/mutations';
import { ModelFolder } from '../process/model-folder';
import { hostsOf, until } from '../process/processes';
import { Chance } from './power-cut-random';
import { inPairs } from './trace-driver';

/** What an import may take here: models that hang are many, and are to be waited for. */
export const FUZZ_CONFIG = Object.assign(new RuntimeConfig(), { importDeadlineSeconds: 5 });

const REAL = [
  'linear-regression',
  'ridge-double',
  'logistic-regression',
  'k-means',
  'zipmap-columns',
  'decision-tree',
  'mixed-columns',
  'gaussian-naive-bayes',
  'svc',
  'mlp',
];

/** The files that are damaged: small ones, so that most changes matter. */
export const bases = (): readonly Buffer[] => [
  models.linear([[1], [2]]),
  models.externalData(),
  models.classifierWithLabels(),
  models.mapOutput(),
  models.mapOutput(['a', 'b', 'c']),
  models.twoMapOutputs(),
  models.twoInputs(),
  models.endlessLoop(),
  models.slowLoop(5),
  models.memoryBomb(),
  models.failing(),
  models.nanOutput(),
  ...REAL.map((name) => readFileSync(join(__dirname, `../real-models/${name}.onnx`))),
];

/** What may become of a damaged file. */
const OUTCOMES = ['accepted', 'refused by the walk', 'refused by the engine', 'brought the engine down', 'deadline'] as const;
type Outcome = (typeof OUTCOMES)[number];

/** What the imports of many damaged files came to. */
export interface FuzzReport {
  readonly outcomes: Readonly<Record<Outcome, number>>;
  /** What must not be, in words, with the file in base64 where it was one file that did it. */
  readonly findings: readonly string[];
  /** The files that brought the engine down or did not end: not wrong, and of interest. */
  readonly harmful: readonly string[];
}

/**
 * Imports damaged files, two at a time, each in a process of its own. The same seed has the same files. A rejection that nobody handles
 * fails the test that calls this: jest sees to that.
 */
export async function fuzzImports(runtime: Pick<ModelRuntime, 'import'>, seed: number, mutants: number): Promise<FuzzReport> {
  const chance = new Chance(seed);
  const files = bases();
  const folder = new ModelFolder();
  const outcomes = Object.fromEntries(OUTCOMES.map((name) => [name, 0])) as Record<Outcome, number>;
  const [findings, harmful]: [string[], string[]] = [[], []];
  const before = hostFolders();
  try {
    const damaged = Array.from({ length: mutants }, () => mutate(chance.oneOf(files), chance));
    await inPairs(damaged, async (mutant) => {
      const outcome = await outcomeOf(runtime, folder, mutant);
      if (isOutcome(outcome)) outcomes[outcome]++;
      else findings.push(`${outcome}: ${mutant.toString('base64')}`);
      if (outcome === 'deadline' || outcome === 'brought the engine down') harmful.push(`${outcome}: ${mutant.toString('base64')}`);
    });
    const gone = (): boolean => hostsOf(process.pid).length === 0;
    await until('no host runs', gone, 5000).catch((error: Error) => findings.push(error.message));
    const clean = (): boolean => hostFolders().every((name) => before.includes(name) || worksSomewhere(name));
    await until('no folder of a host is left', clean, 5000).catch((error: Error) => findings.push(error.message));
  } finally {
    folder.remove();
  }
  return { outcomes, findings, harmful };
}

function isOutcome(text: string): text is Outcome {
  return (OUTCOMES as readonly string[]).includes(text);
}

/** @returns what became of the file; in other words what must not become of one */
async function outcomeOf(runtime: Pick<ModelRuntime, 'import'>, folder: ModelFolder, mutant: Buffer): Promise<string> {
  const refusal = refusalOf(mutant);
  try {
    const { signature } = await runtime.import(folder.file(mutant));
    if (refusal !== undefined) return `accepted in spite of "${refusal}"`;
    return Array.isArray(signature.inputs) && Array.isArray(signature.outputs) ? 'accepted' : 'a report without a signature';
  } catch (error) {
    if (error instanceof ImportDeadlineExceeded && refusal === undefined) return 'deadline';
    if (!(error instanceof ModelRefused)) return `threw ${String(error)}`;
    if (refusal !== undefined) return error.message.endsWith(refusal) ? 'refused by the walk' : `not "${refusal}" but "${error.message}"`;
    return error.message.includes('it brings the engine down') ? 'brought the engine down' : 'refused by the engine';
  }
}

/** What the walk says of a file; undefined where an engine gets to see it. */
function refusalOf(mutant: Buffer): string | undefined {
  try {
    openOnnx(mutant);
    return undefined;
  } catch (error) {
    if (error instanceof OnnxRefused) return error.message;
    throw error;
  }
}

function hostFolders(): readonly string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith('analytics-api-host-'));
}

/** Whether a process works in that folder: another server's host on this machine. */
function worksSomewhere(name: string): boolean {
  const processes = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid));
  return processes.some((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`).endsWith(`/${name}`);
    } catch {
      return false; // it has ended
    }
  });
}
