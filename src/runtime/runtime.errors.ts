import { AppError } from '../errors/app-error';

/** An uploaded file is no model that can be served. */
export class ModelRefused extends AppError {
  readonly code = 'MODEL_REFUSED';
  readonly kind = 'invalid' as const;
  constructor(reason: string) {
    super(`The file is no model that can be served: ${reason}`, {
      field: 'file',
      expected: 'an ONNX or a TensorFlow.js model',
      actual: reason,
    });
  }
}

/** An uploaded model takes too long to load or to run on a sample. */
export class ImportDeadlineExceeded extends AppError {
  readonly code = 'IMPORT_DEADLINE_EXCEEDED';
  readonly kind = 'invalid' as const;
  constructor(seconds: number) {
    super(`The model took longer than ${seconds} s to load and to run on a sample`, { field: 'file', expected: `at most ${seconds} s` });
  }
}

/** The stored file of a model is not what was uploaded; it is not served. */
export class ModelDamaged extends AppError {
  readonly code = 'MODEL_DAMAGED';
  readonly kind = 'internal' as const;
  constructor(
    readonly expected: string,
    actual: string,
  ) {
    super('The stored file of the model is not what was uploaded', { expected: `SHA-256 ${expected}`, actual: `SHA-256 ${actual}` });
  }
}

/** The model cannot compute this input; `actual` has the engine’s reason. */
export class InferenceFailed extends AppError {
  readonly code = 'INFERENCE_FAILED';
  readonly kind = 'invalid' as const;
  constructor(readonly reason: string) {
    super(`The model cannot compute this input: ${reason}`, { actual: reason });
  }
}

/** A run of the model took too long; its engine process was killed. */
export class EngineDeadlineExceeded extends AppError {
  readonly code = 'ENGINE_DEADLINE_EXCEEDED';
  readonly kind = 'deadline' as const;
  constructor(milliseconds: number) {
    super(`The model took longer than ${milliseconds} ms and was stopped`, { expected: `at most ${milliseconds} ms` });
  }
}

/** No engine process can be started: the machine lacks file descriptors, processes or memory for it. */
export class EngineUnavailable extends AppError {
  readonly code = 'ENGINE_UNAVAILABLE';
  readonly kind = 'unavailable' as const;
  constructor() {
    super('No engine process can be started: the machine lacks file descriptors, processes or memory for it');
  }
}

/** The model ended its engine processes again and again; it is left alone for a while. */
export class ModelQuarantined extends AppError {
  readonly code = 'MODEL_QUARANTINED';
  readonly kind = 'unavailable' as const;
  constructor(seconds: number) {
    super(`The model ended its engine process again and again; it is tried again in ${seconds} s`, { expected: `a call in ${seconds} s` });
  }
}

/** The call waited too long for an engine and was not run. */
export class CallExpired extends AppError {
  readonly code = 'CALL_DEADLINE_EXCEEDED';
  readonly kind = 'deadline' as const;
  constructor() {
    super('The call waited for an engine until its time was over; the model was not run');
  }
}

/** The engine process ended while it worked on this call. */
export class EngineCrashed extends AppError {
  readonly code = 'ENGINE_CRASHED';
  readonly kind = 'unavailable' as const;
  /** @param how the signal or exit code that it ended with */
  constructor(readonly how: string) {
    super(`The engine process ended while it worked on this (${how}); a new one takes over`);
  }
}

/** A value is not of the kind that the input takes. */
export class InvalidValue extends AppError {
  readonly code = 'INVALID_VALUE';
  readonly kind = 'invalid' as const;
  constructor(field: string, expected: string, value: unknown) {
    super(`${field} is not ${expected}`, { field, expected, actual: shown(value) });
  }
}

/** A number cannot be held without changing it. */
export class NumberNotRepresentable extends AppError {
  readonly code = 'NUMBER_NOT_REPRESENTABLE';
  readonly kind = 'malformed' as const;
  constructor(field: string, expected: string, value: unknown) {
    super(`${field} cannot be told exactly: ${expected}`, { field, expected, actual: shown(value) });
  }
}

/** A text cannot be given to the engine as it is. */
export class TextNotRepresentable extends AppError {
  readonly code = 'TEXT_NOT_REPRESENTABLE';
  readonly kind = 'unprocessable' as const;
  constructor(field: string, expected: string) {
    super(`${field} cannot be given to the engine as it is`, { field, expected });
  }
}

function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'number' || typeof value === 'bigint' ? String(value).slice(0, 80) : JSON.stringify(value).slice(0, 80);
}
