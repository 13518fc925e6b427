import { labelOutputOf, probabilitiesOf } from '../models/upload/model-metadata';
import type { VersionRecord } from '../models/registry/registry-records';
import type { FeedbackItem, Outcome } from './feedback-item';
import { FeedbackMismatch } from './quality.errors';

const MOST_LABELS_NAMED = 20;

/** What a version answers: a class, a number, or what nobody can compare. */
export function taskOf({
  manifest: { metadata },
  signature,
  labels,
}: Pick<VersionRecord, 'manifest' | 'signature' | 'labels'>): 'classification' | 'regression' | 'other' {
  if (metadata.task !== undefined) return metadata.task;
  const classes = metadata.labels ?? labels ?? labelOutputOf(signature.outputs) ?? probabilitiesOf(metadata, signature);
  return classes === undefined ? 'regression' : 'classification';
}

/** The classes of a version by name, as its predictions say them; undefined: it does not name them. */
export function labelsOf({ manifest, labels }: Pick<VersionRecord, 'manifest' | 'labels'>): ReadonlySet<Outcome> | undefined {
  const named = manifest.metadata.labels ?? labels;
  return named && new Set<Outcome>(named);
}

/** @throws FeedbackMismatch where one of the two is no label of the version */
export function refuseForeignLabels({ at, prediction, actual, previous }: FeedbackItem, labels: ReadonlySet<Outcome> | undefined): void {
  if (previous !== undefined) throw new FeedbackMismatch(`${at}previous`, 'absent: a class has no direction', String(previous));
  if (labels === undefined) return;
  for (const [name, value] of Object.entries({ prediction, actual })) {
    if (labels.has(value)) continue;
    const known = [...labels].slice(0, MOST_LABELS_NAMED).map((label) => JSON.stringify(label));
    const more = labels.size > known.length ? ` and ${labels.size - known.length} more` : '';
    throw new FeedbackMismatch(`${at}${name}`, `one of ${known.join(', ')}${more}`, JSON.stringify(value));
  }
}

/** An item of a regressor. */
export type NumberItem = FeedbackItem & { readonly prediction: number; readonly actual: number };

/** @throws FeedbackMismatch where one of the two is no number */
export function refuseTexts(item: FeedbackItem): asserts item is NumberItem {
  for (const name of ['prediction', 'actual'] as const) {
    if (typeof item[name] === 'string') throw new FeedbackMismatch(`${item.at}${name}`, 'a number', JSON.stringify(item[name]));
  }
}
