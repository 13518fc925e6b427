import { modelName } from '../models/model-name';
import { MalformedBody } from '../wire/wire.errors';

/** How many items one request may bring. */
export const MOST_ITEMS = 1000;

const MOST_CHARACTERS = 256;
const MOST_MAGNITUDE = 1e150; // so that the squares of all errors of a window can be added up
const MEMBERS: ReadonlySet<string> = new Set(['model', 'version', 'prediction', 'actual', 'previous', 'features']);

/** A class by its label, or a number. */
export type Outcome = string | number;

/** What somebody tells of one prediction. */
export interface FeedbackItem {
  /** Where it was in the body, for an error: `items[3].`; empty where it is the body. */
  readonly at: string;
  readonly model: string;
  readonly version: number;
  readonly prediction: Outcome;
  /** What came true. */
  readonly actual: Outcome;
  /** The value that both are compared with, to see their directions. */
  readonly previous?: number;
  readonly features?: readonly unknown[] | Readonly<Record<string, unknown>>;
}

/** Reads one item, an array of them, or `{ "items": [...] }`. @throws MalformedBody, InvalidName */
export function feedbackItems(body: unknown): readonly FeedbackItem[] {
  const inObject = isObject(body) && Object.hasOwn(body, 'items');
  if (inObject) refuseOthers(body, new Set(['items']), '');
  const list = inObject ? body['items'] : body;
  const name = inObject ? 'items' : '';
  if (!Array.isArray(list)) {
    if (inObject) throw malformed('items', 'an array', list);
    return [itemOf(body, '')];
  }
  if (list.length === 0 || list.length > MOST_ITEMS) {
    throw new MalformedBody(`Outcomes come 1 to ${MOST_ITEMS} at a time`, {
      field: name || 'body',
      expected: `1 to ${MOST_ITEMS} items`,
      actual: `${list.length} items`,
    });
  }
  return list.map((item: unknown, at) => itemOf(item, `${name}[${at}].`));
}

function itemOf(item: unknown, at: string): FeedbackItem {
  if (!isObject(item)) throw malformed(at.slice(0, -1) || 'body', 'an object', item);
  refuseOthers(item, MEMBERS, at);
  const { model, version, prediction, actual, previous, features } = item;
  if (typeof model !== 'string') throw malformed(`${at}model`, 'the name of a model', model);
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1) {
    throw malformed(`${at}version`, 'a whole number from 1 on', version);
  }
  if (previous !== undefined && !isNumber(previous)) throw malformed(`${at}previous`, NUMBER, previous);
  if (features !== undefined && (typeof features !== 'object' || features === null)) {
    throw malformed(`${at}features`, 'an object, or an array in the model’s order', features);
  }
  return {
    at,
    model: modelName(model, `${at}model`),
    version,
    prediction: outcomeOf(prediction, `${at}prediction`),
    actual: outcomeOf(actual, `${at}actual`),
    ...(previous !== undefined && { previous }),
    ...(features !== undefined && { features: features as NonNullable<FeedbackItem['features']> }),
  };
}

const NUMBER = `a number of at most ${MOST_MAGNITUDE}`;

function outcomeOf(value: unknown, field: string): Outcome {
  if (isNumber(value) || (typeof value === 'string' && value.length <= MOST_CHARACTERS)) return value;
  throw malformed(field, `${NUMBER}, or a label of at most ${MOST_CHARACTERS} characters`, value);
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= MOST_MAGNITUDE;
}

function refuseOthers(item: Readonly<Record<string, unknown>>, known: ReadonlySet<string>, at: string): void {
  const stranger = Object.keys(item)
    .find((name) => !known.has(name))
    ?.slice(0, 80);
  if (stranger === undefined) return;
  throw new MalformedBody(`There is no ${at}${stranger}`, {
    field: `${at}${stranger}`,
    expected: `only ${[...known].join(', ')}`,
    actual: 'one more',
  });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(field: string, expected: string, value: unknown): MalformedBody {
  return new MalformedBody(`${field} must be ${expected}`, { field, expected, actual: shown(value) });
}

/** As an error may show it: short, and never a whole document. */
function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  return JSON.stringify(value).slice(0, 80);
}
