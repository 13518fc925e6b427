import { ApiProperty } from '@nestjs/swagger';
import type { VersionRecord } from '../models/registry/registry-records';
import type { FeatureDrift } from './binned-window';
import { type ClassFigures, ClassWindow } from './class-window';
import type { BaselineSource, DriftWatch } from './drift-watch';
import type { VersionFeedback } from './feedback-windows';

const MOST_CLASSES = 100;
const FIGURES = {
  accuracy: 0.96,
  precision: 0.95,
  recall: 0.96,
  classes: [{ label: 'setosa', precision: 1, recall: 0.98, predicted: 49, actual: 50 }],
};
const DRIFT = { baseline: 'learned', sampled: 1000, rows: 1000, features: [{ feature: 'petal_width_cm', psi: 0.021 }] };

/** What callers told of the predictions of a version. */
export class FeedbackView {
  @ApiProperty({ enum: ['classification', 'regression'], example: 'classification' })
  readonly task: 'classification' | 'regression';

  @ApiProperty({ example: 1250, description: 'Outcomes since this process began to count' })
  readonly received: number;

  @ApiProperty({ example: 1000, description: 'The last of them, from which the figures are made' })
  readonly window: number;

  @ApiProperty({
    type: Object,
    nullable: true,
    example: FIGURES,
    description:
      'Of a classifier accuracy, macro precision and recall, and each class; of a regressor `mae`, `rmse`, `directionalAccuracy`',
  })
  readonly figures: object | null;

  constructor({ received, window }: VersionFeedback) {
    this.task = window instanceof ClassWindow ? 'classification' : 'regression';
    this.received = received;
    this.window = window.items;
    const figures = window.figures();
    this.figures = figures === undefined ? null : { ...figures, ...('classes' in figures && { classes: most(figures.classes) }) };
  }
}

/** How far the inputs of a version have gone from what they were. */
export class DriftView {
  @ApiProperty({ enum: ['metadata', 'learned', 'learning'], example: 'learned', description: 'Where the baseline is from' })
  readonly baseline: BaselineSource;

  @ApiProperty({ example: 0, description: 'Rows that a baseline which is still being learned has' })
  readonly sampled: number;

  @ApiProperty({ example: 1000, description: 'Rows that are compared with it' })
  readonly rows: number;

  @ApiProperty({ type: [Object], example: DRIFT.features, description: 'The greatest first; null: too few rows' })
  readonly features: readonly FeatureDrift[];

  constructor(watch: DriftWatch) {
    this.baseline = watch.source;
    this.sampled = watch.sampled;
    this.rows = watch.rows;
    this.features = watch.drift();
  }
}

/** The quality of the answers of one version. */
export class VersionQualityView {
  @ApiProperty({ example: 1 })
  readonly version: number;

  @ApiProperty({ type: String, example: 'production' })
  readonly stage: VersionRecord['stage'];

  @ApiProperty({ type: FeedbackView, nullable: true, description: 'null: nobody told anything' })
  readonly feedback: FeedbackView | null;

  @ApiProperty({ type: DriftView, nullable: true, description: 'null: nobody looks at its inputs, or it was not called yet' })
  readonly drift: DriftView | null;

  constructor({ version, stage }: VersionRecord, feedback: VersionFeedback | undefined, watch: DriftWatch | undefined) {
    this.version = version;
    this.stage = stage;
    this.feedback = feedback === undefined || feedback.received === 0 ? null : new FeedbackView(feedback);
    this.drift = watch === undefined ? null : new DriftView(watch);
  }
}

/** The quality of the answers of a model. */
export class ModelQualityView {
  @ApiProperty({ example: 'iris' })
  readonly model: string;

  @ApiProperty({
    type: [VersionQualityView],
    example: [{ version: 1, stage: 'production', feedback: { task: 'classification', received: 1250, window: 1000, figures: FIGURES }, drift: DRIFT }], // prettier-ignore
    description: 'Those of which something is known',
  })
  readonly versions: readonly VersionQualityView[];

  constructor(model: string, versions: readonly VersionQualityView[]) {
    this.model = model;
    this.versions = versions.filter(({ feedback, drift }) => feedback !== null || drift !== null);
  }
}

/** How many items a version was told of. */
export class VersionCountView {
  @ApiProperty({ example: 'iris' })
  readonly model: string;

  @ApiProperty({ example: 1 })
  readonly version: number;

  @ApiProperty({ example: 2 })
  readonly accepted: number;

  constructor({ model, version }: VersionRecord, accepted: number) {
    [this.model, this.version, this.accepted] = [model, version, accepted];
  }
}

/** What was counted. */
export class FeedbackCountView {
  @ApiProperty({ example: 2, description: 'All that came: of a request with one wrong item none is counted' })
  readonly accepted: number;

  @ApiProperty({ type: [VersionCountView] })
  readonly versions: readonly VersionCountView[];

  constructor(counts: ReadonlyMap<VersionRecord, number>) {
    this.versions = [...counts].map(([record, count]) => new VersionCountView(record, count));
    this.accepted = this.versions.reduce((sum, { accepted }) => sum + accepted, 0);
  }
}

function most(classes: readonly ClassFigures[]): readonly ClassFigures[] {
  return classes.slice(0, MOST_CLASSES);
}
