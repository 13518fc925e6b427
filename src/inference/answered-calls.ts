import { Injectable } from '@nestjs/common';
import type { InferenceCall } from './inference-call';

/** Hears of a call that was answered. It takes next to no time and never throws; the inputs are not its own: what it wants of them it copies. */
export type AnswerListener = (call: Pick<InferenceCall, 'target' | 'inputs'>) => void;

/** Where a room above hears of every call that was answered, whatever dialect it came in. */
@Injectable()
export class AnsweredCalls {
  /** Inputs are absent where a body that came again was not read again. */
  listener: AnswerListener | undefined;
}
