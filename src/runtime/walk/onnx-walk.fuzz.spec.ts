import { Chance } from '../../../test/crash/power-cut-random';
import * as models from '../../../test/onnx/models';
import { mutate } from '../../../test/onnx/mutations';
import { int, message, node, rawModel, tensor, text } from '../../../test/onnx/raw-onnx';
import { OnnxRefused } from './onnx-refused';
import { walkOnnx } from './onnx-walk';
import { cutZipMap } from './zip-map';

const MUTANTS = 5000;
const MAX_MS = 1000;

const withFunction = rawModel({
  node: [text(7, 'my.lab')],
  graph: [
    message(15, message(1, tensor(1, [1], message(4, Buffer.alloc(4)))), message(2, tensor(7, [1], message(7, int(1, 0)))), int(3, 4)),
  ],
  model: [message(25, text(1, 'Identity'), text(10, 'my.lab'), text(4, 'x'), text(5, 'y'), node('Relu', [], 7))],
});

const MODELS = [
  models.linear([[1], [2]]),
  models.externalData(),
  models.classifierWithLabels(),
  models.mapOutput(),
  models.mapOutput(['a', 'b', 'c']),
  models.slowLoop(5),
  models.memoryBomb(),
  models.failing(),
  withFunction,
];

const { seed } = Chance;

describe(`the walk over ${MUTANTS} damaged files (seed ${seed})`, () => {
  it('gives facts or a refusal, nothing else, and none takes over a second', () => {
    const chance = new Chance(seed);
    const bad: unknown[] = [];
    let refused = 0;
    for (let i = 0; i < MUTANTS; i++) {
      const mutant = mutate(chance.oneOf(MODELS), chance);
      const startedAt = performance.now();
      try {
        walkOnnx(cutZipMap(mutant).bytes);
      } catch (error) {
        refused++;
        if (!(error instanceof OnnxRefused)) bad.push({ i, error, mutant: mutant.toString('base64') });
      }
      const ms = performance.now() - startedAt;
      if (ms > MAX_MS) bad.push({ i, ms, mutant: mutant.toString('base64') });
    }
    expect(bad).toEqual([]);
    expect(refused).toBeGreaterThan(MUTANTS / 10);
    expect(refused).toBeLessThan(MUTANTS);
  }, 60_000);
});
