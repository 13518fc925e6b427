import { EngineCrashed, EngineDeadlineExceeded, EngineUnavailable, ModelDamaged, ModelQuarantined } from '../../runtime/runtime.errors';
import { BlobMissing, CommitUncertain, NoSpace, ReadOnly } from '../../storage/storage.errors';
import { BodyTooLarge, BodyTooSlow, MalformedBody, MalformedJson, UnsupportedMediaType } from '../../wire/wire.errors';
import { InvalidName, ModelMemoryExceeded, ModelNotFound, VersionNotFound } from '../models.errors';
import { GoldenDeviation, IdempotencyKeyReused, ModelChanged, SignatureChanged } from '../registry/registry.errors';
import { GoldenMismatch } from '../upload/upload.errors';

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
  new BodyTooLarge(8_388_608),
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
/** Whatever goes into production. */
export const GATES = [
  new SignatureChanged('iris', 2, 1, [{ field: 'input "features"', expected: 'FP32 [-1, 4]', actual: 'FP32 [-1, 5]' }]),
  new GoldenDeviation('iris', 2, new GoldenMismatch('metadata.golden[0].outputs.probabilities[0][2]', '0.98', '0.71')),
] as const;
/** Whatever loads a model. */
export const UNLOADABLE = [
  new BlobMissing('9f86d081884c7d65'),
  new ModelDamaged('9f86d081884c7d65', '2c26b46b68ffc68f'),
  new EngineCrashed('SIGSEGV'),
  new EngineUnavailable(),
  new EngineDeadlineExceeded(30_000),
  new ModelMemoryExceeded('iris', 1, 2 ** 30, 2 ** 29),
  new ModelQuarantined(4),
] as const;
