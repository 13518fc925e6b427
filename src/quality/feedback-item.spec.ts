import { InvalidName } from '../models/models.errors';
import { MalformedBody } from '../wire/wire.errors';
import { feedbackItems } from './feedback-item';

const ITEM = { model: 'iris', version: 1, prediction: 'setosa', actual: 'virginica' };

const times = (count: number): readonly object[] => Array.from({ length: count }, () => ITEM);

function fieldOf(body: unknown): string | undefined {
  try {
    feedbackItems(body);
    return undefined;
  } catch (error) {
    if (error instanceof MalformedBody || error instanceof InvalidName) return error.details.field;
    throw error;
  }
}

describe(feedbackItems, () => {
  it('takes one item, an array, or an object of items', () => {
    expect(feedbackItems(ITEM)).toEqual([{ at: '', ...ITEM }]);
    expect(feedbackItems([ITEM, ITEM])).toEqual([{ at: '[0].', ...ITEM }, { at: '[1].', ...ITEM }]); // prettier-ignore
    expect(feedbackItems({ items: [ITEM] })).toEqual([{ at: 'items[0].', ...ITEM }]);
  });

  it('takes numbers, what was before, and features', () => {
    const item = { model: 'mpg', version: 2, prediction: 1.5, actual: -2, previous: 1, features: { a: 1 } };
    expect(feedbackItems(item)).toEqual([{ at: '', ...item }]);
    expect(feedbackItems({ ...item, features: [1] })).toEqual([{ at: '', ...item, features: [1] }]);
  });

  it.each([
    ['body', 'text'],
    ['body', null],
    ['body', []],
    ['body', times(1001)],
    ['items', { items: 5 }],
    ['items', { items: [] }],
    ['items', { items: times(1001) }],
    ['model', { items: [ITEM], model: 'iris' }],
    ['items[1]', { items: [ITEM, 7] }],
    ['[1].version', [ITEM, { ...ITEM, version: 'one' }]],
    ['model', { ...ITEM, model: undefined }],
    ['model', { ...ITEM, model: 'Iris!' }],
    ['version', { ...ITEM, version: 0 }],
    ['version', { ...ITEM, version: 1.5 }],
    ['prediction', { ...ITEM, prediction: undefined }],
    ['prediction', { ...ITEM, prediction: null }],
    ['prediction', { ...ITEM, prediction: true }],
    ['prediction', { ...ITEM, prediction: [1] }],
    ['prediction', { ...ITEM, prediction: Number.NaN }],
    ['prediction', { ...ITEM, prediction: Number.POSITIVE_INFINITY }],
    ['actual', { ...ITEM, actual: -1.1e150 }],
    ['actual', { ...ITEM, actual: 'x'.repeat(257) }],
    ['previous', { ...ITEM, previous: 'up' }],
    ['features', { ...ITEM, features: 5 }],
    ['features', { ...ITEM, features: null }],
    ['sure', { ...ITEM, sure: true }],
  ])('names %s where that is wrong', (field, body) => {
    expect(fieldOf(body)).toBe(field);
  });

  it('takes as many items, as long labels and as large numbers as it says', () => {
    expect(fieldOf(times(1000))).toBeUndefined();
    expect(fieldOf({ ...ITEM, actual: 'x'.repeat(256) })).toBeUndefined();
    expect(fieldOf({ ...ITEM, actual: -1e150 })).toBeUndefined();
  });
});
