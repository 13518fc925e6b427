import { ANYBODY, Caller, NOBODY } from './caller';
import { type Scope, SCOPES } from './scope.decorator';

const caller = (scopes: readonly (Scope | 'admin')[], models: readonly string[] = []): Caller =>
  new Caller({ keyId: 'abcdefgh', name: 'board', scopes, models });

describe(Caller, () => {
  it.each(SCOPES)('with %s may do that and nothing else', (scope) => {
    for (const other of SCOPES) expect(caller([scope]).may(other)).toBe(other === scope);
  });

  it('needs one of several scopes', () => {
    expect(caller(['promote']).may('predict', 'promote')).toBe(true);
    expect(caller(['metrics']).may('predict', 'promote')).toBe(false);
  });

  it('may everything as admin', () => {
    for (const scope of SCOPES) expect(caller(['admin']).may(scope)).toBe(true);
  });

  it.each([
    [[], 'iris', true],
    [['iris'], 'iris', true],
    [['iris'], 'iris2', false],
    [['iris'], 'IRIS', false],
    [['fraud-*'], 'fraud-1', true],
    [['fraud-*'], 'fraud-', true],
    [['fraud-*'], 'fraud', false],
    [['fraud-*'], 'x-fraud-1', false],
    [['*'], 'anything', true],
    [['i.is'], 'iris', false],
    [['iris', 'fraud-*'], 'fraud-2', true],
  ])('with the models %j may use %s: %s', (models, model, may) => {
    expect(caller(['predict'], models).mayUse(model)).toBe(may);
  });

  it('says who did it', () => {
    expect(caller(['predict'])).toMatchObject({ actor: 'key:board', keyId: 'abcdefgh', name: 'board' });
    expect(ANYBODY).toMatchObject({ actor: 'anonymous', keyId: undefined });
    expect(NOBODY).toMatchObject({ actor: 'anonymous', keyId: undefined });
  });

  it('is allowed everything where no keys are asked for, and nothing where it has none', () => {
    for (const scope of SCOPES) expect([ANYBODY.may(scope), NOBODY.may(scope)]).toEqual([true, false]);
  });
});
