import type { Request } from 'express';
import type { HttpConfig } from '../../config/app-config';
import { readEncodedBody } from '../../wire/read-body';
import { parseJson } from '../../wire/strict-json';
import { MalformedBody } from '../../wire/wire.errors';

/** What a request to the repository may say. */
export interface RepositoryRequest {
  readonly ready?: unknown;
  readonly parameters?: unknown;
}

const HARMLESS = new Set(['unload_dependents']);

/** Reads a body that may be empty, whatever it says of its type. @throws MalformedJson, MalformedBody; as `wire/` does */
export async function readRepositoryRequest(request: Request, { maxJsonBytes, bodySeconds }: HttpConfig): Promise<RepositoryRequest> {
  const body = await readEncodedBody(request, { maxBytes: maxJsonBytes, bodySeconds });
  if (body.length === 0) return {};
  const value = parseJson(body);
  if (!isObject(value)) throw new MalformedBody('The body must be an object', { field: 'body', expected: 'an object, or nothing' });
  return value;
}

/** Whether only what answers is asked for. @throws MalformedBody */
export function onlyReady(ready: unknown): boolean {
  if (ready === undefined) return false;
  if (typeof ready === 'boolean') return ready;
  throw new MalformedBody('ready must be true or false', {
    field: 'ready',
    expected: 'true or false',
    actual: JSON.stringify(ready).slice(0, 80),
  });
}

/** Other servers let a load bring files and settings, and so write where its caller likes. @throws MalformedBody */
export function refuseContent({ parameters = {} }: RepositoryRequest): void {
  if (!isObject(parameters)) throw new MalformedBody('parameters must be an object', { field: 'parameters', expected: 'an object' });
  const foreign = Object.keys(parameters).find((name) => !HARMLESS.has(name));
  if (foreign === undefined) return;
  const field = `parameters.${foreign.slice(0, 80)}`;
  throw new MalformedBody('A model is uploaded by POST /api/v1/models, never by a load', { field, expected: 'absent' });
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
