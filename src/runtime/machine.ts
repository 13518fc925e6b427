import { cpus } from 'node:os';
import { INSTALLED_ENGINES } from './installed-engines';

const engines = Object.entries(INSTALLED_ENGINES).flatMap(([name, version]) => (version === null ? [] : [`${name} ${version}`]));

/** What measurements of models are true for: the engines, their versions, and the processor. */
export const MACHINE = `${engines.join(', ')} on ${cpus()[0]?.model.trim() || process.arch}`;
