import { QualityHouse } from '../../test/quality/quality-house';
import { ModelNotFound } from '../models/models.errors';
import { type FeedbackItem, feedbackItems } from './feedback-item';
import { FeedbackWindows } from './feedback-windows';
import { FeedbackMismatch } from './quality.errors';

const itemOf = (model: string, prediction: unknown = 1, actual: unknown = 1): FeedbackItem =>
  feedbackItems({ model, version: 1, prediction, actual })[0] as FeedbackItem;

function refusalOf(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof FeedbackMismatch) return error.code;
    throw error;
  }
}

describe(FeedbackWindows, () => {
  let house: QualityHouse;
  const open = (settings = {}): void => void (house = new QualityHouse(settings));
  afterEach(() => house.close());

  it('knows no more than 1000 versions, and forgets who was not told of for longest', () => {
    open();
    const records = Array.from({ length: 1500 }, (_, at) => house.publish(`m${at}`, 1));
    for (const { model } of records) house.windows.add(house.windows.check(itemOf(model)), itemOf(model));
    expect(house.windows.all()).toHaveLength(1000);
    expect(house.windows.of(records[0]!)).toBeUndefined();
    expect(house.windows.of(records[1499]!)?.received).toBe(1);
  });

  it('holds no more than 64 MiB of labels that nobody named before', () => {
    open({ window: 10_000 });
    const records = Array.from({ length: 20 }, (_, at) => house.publish(`m${at}`, 1, { task: 'classification' }));
    for (const { model } of records) house.windows.add(house.windows.check(itemOf(model, 'a', 'b')), itemOf(model, 'a', 'b'));
    const bytes = house.windows.all().reduce((sum, record) => sum + (house.windows.of(record)?.bytes ?? 0), 0);
    expect(house.windows.all().length).toBeLessThan(20);
    expect(bytes).toBeLessThanOrEqual(64 * 2 ** 20);
  });

  it('is no larger for 10 000 models that there are not', () => {
    open();
    for (let at = 0; at < 10_000; at++) expect(() => house.windows.check(itemOf(`m${at}`))).toThrow(ModelNotFound);
    expect(house.windows.all()).toEqual([]);
  });

  it.each([
    ['a classifier by its task', { task: 'classification' }, 'a', 'b', true],
    ['a classifier by its labels', { labels: ['a', 'b'] }, 'a', 'b', true],
    ['a classifier by its labels, of others', { labels: ['a', 'b'] }, 'a', 'c', false],
    ['a regressor', {}, 1, 2, true],
    ['a regressor, of texts', {}, 'a', 'b', false],
    ['a regressor by its task, whatever its labels', { task: 'regression', labels: ['a', 'b'] }, 1, 2, true],
    ['what is neither', { task: 'other' }, 1, 2, false],
  ])('takes for %s what it may answer', (_, metadata, prediction, actual, fits) => {
    open();
    house.publish('m', 1, metadata);
    const check = (): unknown => house.windows.check(itemOf('m', prediction, actual));
    expect(refusalOf(check)).toEqual(fits ? undefined : 'FEEDBACK_MISMATCH');
  });
});
