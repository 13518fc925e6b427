import { type SnapshotRecord, snapshotId } from '../backup/snapshot/snapshot-records';
import { snapshotTable, stateText } from './snapshot-table';

const AT = '2026-11-23T03:00:00.000Z';
const RECORD: SnapshotRecord = {
  ...{ id: snapshotId(AT, 999_999_999, '0f3a'), seq: 999_999_999, lineage: 'line-1', createdAt: AT, startedAt: AT, finishedAt: AT },
  ...{ trigger: 'schedule', manifest: 'a'.repeat(64), signed: true, encrypted: false, objects: 3, bytes: 2 ** 40, newBytes: 999 },
};

describe(snapshotTable, () => {
  it('fits into 100 columns, whatever is to be said', () => {
    const verified = { at: AT, level: 'structure' as const };
    const [yes, no] = [true, false];
    const states = [
      { signed: no, damaged: ['all'] },
      { signed: yes, encrypted: yes, damaged: ['all'] },
      { signed: no, damaged: ['all'], verified },
      { signed: no, damaged: ['all'], deleted: { at: AT, reason: 'so' } },
      { encrypted: yes, damaged: ['all'], deleted: { at: AT, reason: 'so' } },
    ];
    const lines = snapshotTable(states.map((state) => ({ ...RECORD, ...state })));
    expect(lines).toHaveLength(states.length + 1);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
  });

  it('has one column below the other', () => {
    const [head = '', row = ''] = snapshotTable([{ ...RECORD, verified: { at: AT, level: 'data' } }]);
    expect(head.indexOf('STATE')).toBe(row.indexOf('verified'));
    expect(row).toBe('20261123T030000Z-999999999-0f3a  2026-11-23 03:00  1.0 TiB  999 B  verified');
  });
});

describe(stateText, () => {
  it.each([
    [{ signed: false }, 'UNSIGNED, unverified'],
    [{}, 'unverified'],
    [{ verified: { at: AT, level: 'data' as const } }, 'verified'],
    [{ verified: { at: AT, level: 'structure' as const } }, 'looked over'],
    [{ encrypted: true, damaged: ['x'] }, 'DAMAGED, encrypted, unverified'],
    [{ signed: false, deleted: { at: AT, reason: 'so' } }, 'deleted, UNSIGNED'],
  ])('of %j is %s', (state, text) => {
    expect(stateText({ ...RECORD, ...state })).toBe(text);
  });
});
