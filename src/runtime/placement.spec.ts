import type { Measured, PlacementFacts } from './model-runtime.port';
import { inlineMicros, placementOf } from './placement';

const CURVE = [
  { rows: 1, micros: 10 },
  { rows: 32, micros: 20 },
  { rows: 128, micros: 116 },
  { rows: 1024, micros: 1012 },
];
const MEASURED = { machine: 'any', loadMs: 1, memoryBytes: 1, curve: CURVE } as unknown as Measured;
const spec = (...shape: readonly number[]) => ({ name: 'x', datatype: 'FP32' as const, shape });
const FACTS: PlacementFacts = {
  sha256: 'ab',
  signature: { inputs: [spec(-1, 10)], outputs: [spec(-1, 1)] },
  unbounded: [],
  initializerBytes: 1000,
  measured: MEASURED,
  isolated: false,
};

describe(placementOf, () => {
  it('lets a model in that is bounded, small, and cheap', () => {
    expect(placementOf(FACTS)).toEqual({ inline: { free: true, curve: CURVE }, why: [] });
  });

  it.each([
    ['whose shapes are fixed', [spec(3, 4), spec()], false],
    ['that takes nothing', [], false],
    ['whose inputs have all a free first dimension', [spec(-1), spec(-1, 2)], true],
  ])('lets one in %s', (_, inputs, free) => {
    expect(placementOf({ ...FACTS, signature: { inputs, outputs: [] } })).toEqual({ inline: { free, curve: CURVE }, why: [] });
  });

  const { unbounded: _unbounded, ...unseen } = FACTS;
  const { initializerBytes: _initializerBytes, ...unweighed } = FACTS;
  it.each<readonly [string, PlacementFacts, string]>([
    ['that its uploader wants apart', { ...FACTS, isolated: true }, 'it is isolated'],
    ['with an operator that is not on the list', { ...FACTS, unbounded: ['it has the operator Loop'] }, 'it has the operator Loop'],
    ['that nobody looked into', unseen, 'nobody has looked into the file yet: upload it again'],
    [
      'with a second free dimension',
      { ...FACTS, signature: { inputs: [spec(-1, -1)], outputs: [] } },
      'a dimension besides the first is free',
    ],
    ['with one free and one fixed first dimension', { ...FACTS, signature: { inputs: [spec(-1), spec(2)], outputs: [] } }, 'a dimension besides the first is free'], // prettier-ignore
    ['of large weights', { ...FACTS, initializerBytes: 32 * 2 ** 20 + 1 }, 'its weights take more than 32 MiB'],
    ['of unknown weights', unweighed, 'its weights take more than 32 MiB'],
    ['that loads long', { ...FACTS, measured: { ...MEASURED, loadMs: 20.1 } }, 'loading it takes more than 20 ms'],
    ['that runs long', { ...FACTS, measured: { ...MEASURED, curve: [{ rows: 1, micros: 301 }] } }, 'a run takes more than 300 µs'],
    ['that was not timed', { ...FACTS, measured: { ...MEASURED, curve: [] } }, 'a run takes more than 300 µs'],
    ['that was not measured', { ...FACTS, measured: undefined }, 'it was not measured on this machine yet'],
  ])('lets none in %s', (_, facts, reason) => {
    expect(placementOf(facts)).toEqual({ why: [reason] });
  });

  it('tells every reason', () => {
    const facts = { ...FACTS, isolated: true, unbounded: ['a', 'b'], measured: undefined };
    expect(placementOf(facts).why).toEqual(['it is isolated', 'a', 'b', 'it was not measured on this machine yet']);
  });
});

describe(inlineMicros, () => {
  const costs = { free: true, curve: CURVE };

  it.each([
    [0, 10],
    [1, 10],
    [32, 20],
    [80, 68],
    [128, 116],
    [256, 244],
    [1024, Number.POSITIVE_INFINITY], // too dear
    [1025, Number.POSITIVE_INFINITY], // nobody knows
  ])('of %d rows is %d', (rows, micros) => {
    expect(inlineMicros(costs, rows)).toBeCloseTo(micros, 9);
  });

  it('of anything is infinite where nothing was timed', () => {
    expect(inlineMicros({ free: false, curve: [] }, 1)).toBe(Number.POSITIVE_INFINITY);
  });
});
