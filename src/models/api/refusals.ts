import { EngineDeadlineExceeded, ModelQuarantined } from '../../runtime/runtime.errors';
import { CommitUncertain, NoSpace, ReadOnly } from '../../storage/storage.errors';
import { BodyTooSlow, MalformedBody, MalformedJson, UnsupportedMediaType } from '../../wire/wire.errors';
import { IdempotencyKeyReused, InvalidName, ModelChanged, ModelMemoryExceeded, ModelNotFound, VersionNotFound } from '../models.errors';

/** What the routes of this room may refuse, each as the documentation shows it. */
export const BAD_NAME = new InvalidName('model', 'a name', 'Iris!');
export const NO_MODEL = new ModelNotFound('iris');
export const NO_VERSION = new VersionNotFound('iris', 9, [1, 2]);
export const UNREADABLE = [
  new MalformedJson('it is empty'),
  new MalformedBody('body.stage must be one of the following values: staging, production, archived', {
    field: 'body.stage',
    expected: 'must be one of the following values: staging, production, archived',
    actual: '"live"',
  }),
  new UnsupportedMediaType('Content-Type', 'application/json', 'none'),
  new BodyTooSlow({ maxMs: 30_000 }),
] as const;
/** Whatever changes the registry. */
export const UNCHANGEABLE = [
  new ModelChanged('iris', '"9f1c-3"', '"9f1c-7"'),
  new IdempotencyKeyReused('move 1 to production', 'move 2 to production'),
  new CommitUncertain(7),
  new ReadOnly('the file system lacks what the registry needs'),
  new NoSpace(),
] as const;
/** Whatever loads a model. */
export const UNLOADABLE = [
  new EngineDeadlineExceeded(30_000),
  new ModelMemoryExceeded('iris', 1, 2 ** 30, 2 ** 29),
  new ModelQuarantined(4),
] as const;
