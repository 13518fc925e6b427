import { Injectable, Logger, type OnModuleInit, Optional } from '@nestjs/common';
import { RuntimeConfig } from '../../config/app-config';
import { Damaged, readChecked } from '../checked-file';
import type { EngineAnswer, EngineRun, ModelFile } from '../model-runtime.port';
import { OnnxError } from '../onnx/onnx-error';
import { openOnnx } from '../onnx/onnx-file';
import { OnnxModel, startEngine } from '../onnx/onnx-model';
import { InferenceFailed, ModelDamaged, ModelRefused } from '../runtime.errors';
import { RuntimeMetrics } from '../runtime.metrics';
import { OnnxRefused } from '../walk/onnx-refused';
import { Demotions } from './demotions';
import { ThreadClock } from './thread-clock';

/** Of all inline runs that wait for the end of the tick, by what they usually take. */
const TICK_MICROS = 2000;
/** A model whose run takes longer was wrongly placed, ms. */
const LONGEST_MS = 5;

/** A model in the server's own process. */
export interface InlineSession {
  readonly sha256: string;
  readonly model: OnnxModel;
}

/**
 * Runs models in the server's own process, where nothing can stop them and everybody waits for them: so only what `placementOf` lets in, and
 * little of it at a time.
 */
@Injectable()
export class InlineEngine implements OnModuleInit {
  private readonly logger = new Logger(InlineEngine.name);
  private readonly demotions = new Demotions();
  private readonly clock = new ThreadClock();
  private plannedMicros = 0;

  constructor(
    private readonly config: RuntimeConfig,
    @Optional() private readonly metrics?: RuntimeMetrics,
  ) {}

  /** The library takes its time once, 50 ms and more: before there is anybody to wait for it. */
  async onModuleInit(): Promise<void> {
    if (this.config.isolation !== 'always') await startEngine();
  }

  /** Whether a model is away because a run of it took too long here. */
  isDemoted(sha256: string): boolean {
    return this.demotions.has(sha256);
  }

  /** Whether there is room for a run in this tick. */
  hasRoomFor(micros: number): boolean {
    return this.plannedMicros + micros <= TICK_MICROS;
  }

  /** @returns undefined where the file is not what was proved of it @throws ModelDamaged, ModelRefused */
  async load(file: ModelFile): Promise<InlineSession | undefined> {
    try {
      const { bytes, facts } = openOnnx(await readChecked(file));
      return facts.unbounded.length > 0 ? undefined : { sha256: file.sha256, model: await OnnxModel.loadWarm(bytes) };
    } catch (error) {
      if (error instanceof Damaged) throw new ModelDamaged(error.expected, error.actual);
      if (error instanceof OnnxError || error instanceof OnnxRefused) throw new ModelRefused(error.message);
      throw error;
    }
  }

  /** Runs at the end of this tick, or of the next. @param micros what it usually takes @throws InferenceFailed */
  async run({ sha256, model }: InlineSession, { inputs, outputs }: EngineRun, micros: number): Promise<EngineAnswer> {
    this.plannedMicros += micros;
    let startedAt = 0;
    // the library runs it in an immediate of its own, which comes right after this one
    setImmediate(() => (startedAt = this.clock.begin()));
    try {
      const answer = { outputs: await model.run(inputs, outputs) };
      return { ...answer, inferMs: performance.now() - startedAt };
    } catch (error) {
      throw error instanceof OnnxError ? new InferenceFailed(error.message) : error;
    } finally {
      this.plannedMicros -= micros;
      if (performance.now() - startedAt > LONGEST_MS) this.suspect(sha256, startedAt);
    }
  }

  /** The machine may have been busy with others meanwhile: what counts is the time of this thread, which the kernel knows to 4 ms. */
  private suspect(sha256: string, startedAt: number): void {
    const ms = this.clock.msSince(startedAt);
    if (ms <= LONGEST_MS || this.demotions.has(sha256)) return;
    const forSeconds = this.demotions.add(sha256);
    this.metrics?.countDemotion();
    this.logger.warn('model demoted from the server’s own process', { sha256, ms, wallMs: performance.now() - startedAt, forSeconds });
  }
}
