import type { VersionRecord } from '../models/registry/registry-records';
import { CallStatistics } from './call-statistics';
import { CallExpired } from '../runtime/runtime.errors';

const RESULT = { rows: 1, batchRows: 1, leads: true, cache: { state: 'MISS', ms: 1 } } as const;
const STAGES = { decode: 1, cache: 2, queue: 3, infer: 4, encode: 5, all: 20 };

describe(CallStatistics, () => {
  let statistics: CallStatistics;
  const version = { model: 'line', version: 1 } as VersionRecord;
  beforeEach(() => {
    statistics = new CallStatistics();
  });

  it('knows no version for which nothing was counted, though somebody asked for its figures', () => {
    expect(statistics.of(version).success.count).toBe(0);
    expect([...statistics.all.keys()]).toEqual([]);
    statistics.countFailure(version, new CallExpired(), 5);
    expect([...statistics.all.keys()]).toEqual([version]);
  });

  it('tells nobody of a version that is gone, though a call still ran on it', () => {
    statistics.countAnswer(version, RESULT, STAGES);
    statistics.forget(version);
    statistics.countAnswer(version, RESULT, STAGES);
    statistics.countFailure(version, new CallExpired(), 5);
    expect([...statistics.all.keys()]).toEqual([]);
  });

  it.each([
    ['HIT', { ...RESULT, leads: false }, { decode: 1, cache: 1, queue: 0, infer: 0, encode: 1 }],
    ['MISS', RESULT, { decode: 1, cache: 1, queue: 1, infer: 1, encode: 1 }],
    ['MISS', { ...RESULT, leads: false }, { decode: 1, cache: 1, queue: 1, infer: 0, encode: 1 }],
    ['COALESCED', { ...RESULT, leads: false }, { decode: 1, cache: 1, queue: 1, infer: 0, encode: 1 }],
    ['BYPASS', RESULT, { decode: 1, cache: 0, queue: 1, infer: 1, encode: 1 }],
  ] as const)('counts the stages that an answer went through: %s %j', (state, result, counts) => {
    statistics.countAnswer(version, { ...result, cache: { state, ms: 1 } }, STAGES);
    expect(Object.fromEntries(Object.entries(statistics.stages).map(([stage, { count }]) => [stage, count]))).toEqual(counts);
    expect(statistics.stages.decode.sum).toBe(0.001);
    expect(statistics.batchRows.count).toBe(counts.infer);
  });

  it('counts errors by code, those of calls that found no version too', () => {
    statistics.countFailure(undefined, new CallExpired(), 1);
    statistics.countFailure(version, new CallExpired(), 1);
    statistics.countFailure(undefined, new Error('nobody foresaw it'), 1);
    expect([...statistics.errors]).toEqual([
      ['CALL_DEADLINE_EXCEEDED', 2],
      ['INTERNAL', 1],
    ]);
    expect(statistics.of(version).fail).toEqual({ count: 1, ms: 1 });
  });
});
