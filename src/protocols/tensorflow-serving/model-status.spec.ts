import type { VersionRecord } from '../../models/registry/registry-records';
import type { VersionState } from '../../models/serving/model-catalog';
import { modelStatus } from './model-status';

const version = (number: number): VersionRecord => ({ version: number }) as VersionRecord;
const OK = { error_code: 'OK', error_message: '' };

describe(modelStatus, () => {
  const states = new Map<number, VersionState>([
    [1, { state: 'READY' }],
    [2, { state: 'LOADING' }],
    [3, { state: 'UNAVAILABLE', reason: 'damaged' }],
  ]);
  const [first, second, third] = [1, 2, 3].map(version) as [VersionRecord, VersionRecord, VersionRecord];
  const stateOf = ({ version: number }: VersionRecord): VersionState => states.get(number) as VersionState;

  it('tells how every version stands, and why one is not served', () => {
    expect(modelStatus('m', [third, second, first], first, stateOf)).toEqual({
      model_version_status: [
        { version: '3', state: 'END', status: { error_code: 'UNAVAILABLE', error_message: 'damaged' } },
        { version: '2', state: 'LOADING', status: OK },
        { version: '1', state: 'AVAILABLE', status: OK },
      ],
      name: 'm',
      ready: true,
    });
  });

  it('is ready where the version that a call would meet is', () => {
    const ready = [first, second, third, undefined].map((asked) => modelStatus('m', [first], asked, stateOf).ready);
    expect(ready).toEqual([true, false, false, false]);
  });
});
