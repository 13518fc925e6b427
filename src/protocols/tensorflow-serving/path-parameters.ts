import { ApiParam } from '@nestjs/swagger';
import { AliasNotFound, InvalidName, ModelNotFound, NoProductionVersion, VersionNotFound } from '../../models/models.errors';

/** How the documentation tells the part of a path that names the model. */
export const MODEL = ApiParam({ name: 'model', type: String, example: 'iris' });

/** As `MODEL`, for a version. */
export const VERSION = ApiParam({ name: 'version', type: Number, example: 1 });

/** As `MODEL`, for a label. */
export const LABEL = ApiParam({ name: 'label', type: String, example: 'production', description: '`production`, or an alias' });

/** What is answered where the path names no model. */
export const MODEL_UNKNOWN = [new InvalidName('model', 'a name', 'Iris!'), new ModelNotFound('iris')] as const;

/** What is answered where the path names neither a version nor a label, or the label `production`. */
export const NOTHING_IN_PRODUCTION = new NoProductionVersion('iris', [1]);

/** What is answered where the path names no version of the model. */
export const VERSION_UNKNOWN = [new VersionNotFound('iris', 9, [1])] as const;

/** What is answered where the path names no label of the model. */
export const LABEL_UNKNOWN = [new AliasNotFound('iris', 'champion', []), NOTHING_IN_PRODUCTION] as const;
