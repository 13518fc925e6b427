import { describeFaults, documentedRows, faultRows } from './engine-faults-suite';

describeFaults(5);

describe('docs/MODELS.md', () => {
  it('says what each fault does, as it is tested here', () => {
    expect(documentedRows()).toEqual(faultRows());
  });
});
