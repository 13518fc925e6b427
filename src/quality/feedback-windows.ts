import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { QualityConfig } from '../config/app-config';
import type { VersionRecord } from '../models/registry/registry-records';
import { RegistryState } from '../models/registry/registry-state';
import { ClassWindow } from './class-window';
import { ErrorWindow } from './error-window';
import { labelsOf, refuseForeignLabels, refuseTexts, taskOf } from './expected-outcome';
import type { FeedbackItem, Outcome } from './feedback-item';
import { FeedbackMismatch } from './quality.errors';

const MOST_VERSIONS = 1000;
const MOST_BYTES = 64 * 2 ** 20;
/** Of an item of a classifier that does not name its classes: two texts of their own. */
const TEXT_ITEM_BYTES = 1100;
const LABEL_BYTES = 64;

/** What was told of the predictions of one version. */
export abstract class VersionFeedback {
  /** How often since this process began to count. */
  received = 0;

  abstract readonly window: ClassWindow | ErrorWindow;
  /** At most. */
  abstract readonly bytes: number;

  /** @throws FeedbackMismatch */
  abstract refuse(item: FeedbackItem): void;
  /** An item that was not refused. */
  abstract add(item: FeedbackItem): void;
}

class ClassifierFeedback extends VersionFeedback {
  readonly window: ClassWindow;
  readonly bytes: number;
  private readonly labels: ReadonlySet<Outcome> | undefined;

  constructor(record: VersionRecord, size: number) {
    super();
    this.window = new ClassWindow(size);
    this.labels = labelsOf(record);
    this.bytes = this.labels === undefined ? size * TEXT_ITEM_BYTES : size * 16 + this.labels.size * LABEL_BYTES;
  }

  override refuse(item: FeedbackItem): void {
    refuseForeignLabels(item, this.labels);
  }

  override add({ prediction, actual }: FeedbackItem): void {
    this.received++;
    this.window.add(prediction, actual);
  }
}

class RegressorFeedback extends VersionFeedback {
  readonly window: ErrorWindow;
  readonly bytes: number;

  constructor(size: number) {
    super();
    this.window = new ErrorWindow(size);
    this.bytes = size * 9;
  }

  override refuse(item: FeedbackItem): void {
    refuseTexts(item);
  }

  override add({ prediction, actual, previous }: FeedbackItem): void {
    this.received++;
    this.window.add(prediction as number, actual as number, previous);
  }
}

/** What was told of predictions, by version. Memory only, and bounded: who was not heard of for longest makes room. */
@Injectable()
export class FeedbackWindows {
  private readonly versions = new LRUCache<VersionRecord, VersionFeedback>({
    max: MOST_VERSIONS,
    maxSize: MOST_BYTES,
    sizeCalculation: ({ bytes }) => bytes,
  });

  constructor(
    private readonly state: RegistryState,
    private readonly config: QualityConfig,
  ) {}

  /** @throws ModelNotFound, VersionNotFound; FeedbackMismatch for the first thing that does not fit the version */
  check(item: FeedbackItem): VersionRecord {
    const record = this.state.requireVersion(item.model, item.version);
    this.open(record, item).refuse(item);
    return record;
  }

  /** @param record what `check` found, in this very turn of the event loop */
  add(record: VersionRecord, item: FeedbackItem): void {
    this.open(record, item).add(item);
  }

  of(record: VersionRecord): VersionFeedback | undefined {
    return this.versions.peek(record);
  }

  /** Of which versions something is known. */
  all(): readonly VersionRecord[] {
    return [...this.versions.keys()];
  }

  forget(record: VersionRecord): void {
    this.versions.delete(record);
  }

  private open(record: VersionRecord, { at }: FeedbackItem): VersionFeedback {
    const known = this.versions.get(record);
    if (known !== undefined) return known;
    const task = taskOf(record);
    if (task === 'other') throw new FeedbackMismatch(`${at}model`, 'one whose task is classification or regression', 'task: other');
    const { window } = this.config;
    const feedback = task === 'classification' ? new ClassifierFeedback(record, window) : new RegressorFeedback(window);
    this.versions.set(record, feedback);
    return feedback;
  }
}
