import 'reflect-metadata';
import { Type } from 'class-transformer';
import { IsArray, IsIn, IsInt, IsOptional, IsString, MaxLength, Min, ValidateNested } from 'class-validator';
import { checked } from './checked';

class Window {
  @IsInt()
  @Min(1)
  readonly days!: number;
}

class Policy {
  @IsIn(['keep', 'drop'])
  readonly action!: 'keep' | 'drop';

  @IsOptional()
  @IsString()
  @MaxLength(10)
  readonly reason?: string;

  @IsOptional()
  @IsArray()
  @IsString({ each: true })
  readonly tags?: readonly string[];

  @IsOptional()
  @ValidateNested()
  @Type(() => Window)
  readonly window?: Window;

  get keeps(): boolean {
    return this.action === 'keep';
  }
}

function malformed(field: string, expected: string, actual: string): Error {
  return expect.objectContaining({ code: 'MALFORMED_BODY', kind: 'malformed', details: { field, expected, actual } });
}

describe(checked, () => {
  it('makes an instance of what holds to the rules', () => {
    const policy = checked(Policy, { action: 'keep', reason: 'safety', tags: ['a'], window: { days: 7 } }, 'body');
    expect(policy).toBeInstanceOf(Policy);
    expect(policy).toEqual({ action: 'keep', reason: 'safety', tags: ['a'], window: { days: 7 } });
    expect(policy.keeps).toBe(true);
    expect(policy.window).toBeInstanceOf(Window);
  });

  it('leaves out what is left out', () => {
    expect(Object.keys(checked(Policy, { action: 'drop' }, 'body'))).toEqual(['action']);
  });

  it.each([
    [undefined, 'missing'],
    [null, 'null'],
    [7, '7'],
    ['text', '"text"'],
    [true, 'true'],
    [9_007_199_254_740_993n, '9007199254740993'],
    [[], 'an array'],
    [[{ action: 'keep' }], 'an array'],
  ])('refuses %j, which is no object', (value, actual) => {
    expect(() => checked(Policy, value, 'metadata')).toThrow(malformed('metadata', 'an object', actual));
    expect(() => checked(Policy, value, 'metadata')).toThrow('metadata must be an object');
  });

  it.each([
    [{}, 'body.action', 'must be one of the following values: keep, drop', 'missing'],
    [{ action: 'burn' }, 'body.action', 'must be one of the following values: keep, drop', '"burn"'],
    [{ action: ['keep'] }, 'body.action', 'must be one of the following values: keep, drop', 'an array'],
    [{ action: {} }, 'body.action', 'must be one of the following values: keep, drop', 'an object'],
    [
      { action: 'keep', reason: 'far too long to be read' },
      'body.reason',
      'must be shorter than or equal to 10 characters',
      '"far too long to be read"',
    ],
    [{ action: 'keep', tags: 'a' }, 'body.tags', expect.stringContaining('must be an array'), '"a"'],
    [{ action: 'keep', tags: ['a', 1] }, 'body.tags', expect.stringContaining('must be a string'), 'an array'],
    [{ action: 'keep', window: { days: 0 } }, 'body.window.days', 'must not be less than 1', '0'],
    [{ action: 'keep', window: {} }, 'body.window.days', expect.stringContaining('must be an integer number'), 'missing'],
    [{ action: 'keep', window: { days: 1, hours: 2 } }, 'body.window.hours', 'property should not exist', '2'],
    [{ action: 'keep', owner: 'me' }, 'body.owner', 'property should not exist', '"me"'],
  ])('refuses %j and says where, what is wanted, and what came', (value, field, expected, actual) => {
    expect(() => checked(Policy, value, 'body')).toThrow(malformed(field, expected, actual));
  });

  // "each value in must be a string": the member's name is cut out of the middle of the rule
  it('says what each value of an array must be in a whole sentence', () => {
    const expected = 'each value must be a string';
    expect(() => checked(Policy, { action: 'keep', tags: ['a', 1] }, 'body')).toThrow(malformed('body.tags', expected, 'an array'));
  });

  it('repeats no long value', () => {
    expect(() => checked(Policy, { action: 'x'.repeat(1000) }, 'body')).toThrow(
      malformed('body.action', expect.any(String), `"${'x'.repeat(79)}`),
    );
  });

  it('pollutes nothing', () => {
    const hostile = JSON.parse(
      '{"action": "keep", "__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}}',
    ) as unknown;
    try {
      checked(Policy, hostile, 'body');
    } catch {
      // refused or passed over: both are harmless
    }
    expect({}).not.toHaveProperty('polluted');
    expect(Policy.prototype).not.toHaveProperty('polluted');
  });

  it('refuses "prototype" like any other member that has no rule', () => {
    expect(() => checked(Policy, { action: 'keep', prototype: 1 }, 'body')).toThrow(
      malformed('body.prototype', 'property should not exist', '1'),
    );
  });

  // class-transformer passes over them in silence
  it('refuses "__proto__" like any other member that has no rule', () => {
    const value = JSON.parse('{"action": "keep", "__proto__": 1}') as unknown;
    expect(() => checked(Policy, value, 'body')).toThrow(expect.objectContaining({ code: 'MALFORMED_BODY' }));
  });

  it('refuses "constructor" like any other member that has no rule', () => {
    expect(() => checked(Policy, { action: 'keep', constructor: 1 }, 'body')).toThrow(expect.objectContaining({ code: 'MALFORMED_BODY' }));
  });

  it('refuses "toString" like any other member that has no rule', () => {
    expect(() => checked(Policy, { action: 'keep', toString: 1 }, 'body')).toThrow(expect.objectContaining({ code: 'MALFORMED_BODY' }));
  });
});
