import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROBLEMS } from '../verify/verify-report';
import { DRILL_PHASES, DRILL_REASONS } from './drill-report';

describe('docs/BACKUP.md', () => {
  const text = readFileSync(join(__dirname, '../../../docs/BACKUP.md'), 'utf8');
  const [, section = ''] = /^## Drill$(.*?)^## /ms.exec(text) ?? [];

  it('says of every reason for which a drill fails what to do about it, and of no other', () => {
    const rows = [...section.matchAll(/^\| (`.*?`) \| [^|]{10,} \| [^|]{5,} \|$/gm)].map(([, reasons = '']) => reasons);
    const told = rows.flatMap((reasons) => reasons.split(', ').map((reason) => reason.slice(1, -1)));
    expect(told.sort()).toEqual([...DRILL_REASONS, ...PROBLEMS].sort());
  });

  it('has the steps of a drill in their order', () => {
    expect([...section.matchAll(/^\d\. `(\w+)`/gm)].map(([, phase]) => phase)).toEqual([...DRILL_PHASES]);
  });
});
