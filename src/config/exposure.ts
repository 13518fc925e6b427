import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { hasCode } from '../errors/has-code';
import type { AuthConfig, HttpConfig, StorageConfig } from './app-config';

/** The file of the hashed keys. */
export function apiKeysFile({ apiKeysFile: file }: AuthConfig, { modelsDir }: Pick<StorageConfig, 'modelsDir'>): string {
  return file === '' ? join(modelsDir, 'auth', 'keys.json') : file;
}

/** Whether only this machine reaches the address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** @returns why the service may not listen there, if so */
export function exposed({ host, authMode }: HttpConfig, auth: AuthConfig, storage: StorageConfig): readonly string[] {
  if (isLoopback(host) || authMode === 'none' || auth.apiKey !== '' || mayHoldKeys(apiKeysFile(auth, storage))) return [];
  return [
    `HOST=${host}: others could reach an API without keys there. Give it a key, or say that they may do everything:\n` +
      '    API_KEY="$(openssl rand -hex 32)"\n    AUTH_MODE=none',
  ];
}

/** A file that cannot be read or understood is no reason to open the doors: the server then starts, and lets nobody in. */
function mayHoldKeys(path: string): boolean {
  try {
    const { keys } = JSON.parse(readFileSync(path, 'utf8')) as { keys: readonly unknown[] };
    return keys.length > 0;
  } catch (error) {
    return !hasCode(error, 'ENOENT', 'ENOTDIR');
  }
}
