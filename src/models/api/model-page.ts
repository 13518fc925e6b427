import type { ModelRecord } from '../registry/registry-records';
import type { ListQuery } from './dto/list-query.dto';

/** A part of a list of models. */
export interface ModelPage {
  readonly models: readonly ModelRecord[];
  /** How many there are in all, on all pages. */
  readonly total: number;
  /** Where the next page goes on; `null`: there is none. A model that changes in between is neither lost nor listed twice by name. */
  readonly next: string | null;
}

type SortKey = 'name' | 'createdAt' | 'updatedAt';

/** @param all models by name */
export function pageOf(
  all: readonly ModelRecord[],
  { search, tag, production, sort = 'name', limit = '100', after }: ListQuery,
): ModelPage {
  const wanted = search?.toLowerCase();
  const tags = tag?.split(',').map((each) => each.trim());
  const found = all.filter(
    (model) =>
      (wanted === undefined || model.name.includes(wanted) || model.description.toLowerCase().includes(wanted)) &&
      (tags === undefined || tags.every((each) => model.tags.includes(each))) &&
      (production === undefined || (model.production !== undefined) === (production === 'true')),
  );
  const descending = sort.startsWith('-');
  const key = sort.replace('-', '') as SortKey;
  const inOrder = found.map((model) => ({ model, place: placeOf(model, key) })).sort((a, b) => (a.place < b.place === descending ? 1 : -1));
  const rest = after === undefined ? inOrder : inOrder.filter(({ place }) => (descending ? place < after : place > after));
  const page = rest.slice(0, Number(limit));
  const next = rest.length > page.length ? (page.at(-1)?.place ?? null) : null;
  return { models: page.map(({ model }) => model), total: found.length, next };
}

/** No two models have the same place: a time is followed by the name. */
function placeOf(model: ModelRecord, key: SortKey): string {
  return key === 'name' ? model.name : `${model[key]}~${model.name}`;
}
