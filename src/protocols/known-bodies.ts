import { hash } from 'node:crypto';
import type { Request } from 'express';
import { LRUCache } from 'lru-cache';
import type { VersionRecord } from '../models/registry/registry-records';
import type { Tensor } from '../runtime/tensor';
import type { DialectAnswer, Question } from './dialect';
import { JSON_LENGTH_HEADER } from './open-inference/body-parts';

const MOST_BODIES = 10_000;
const MOST_BYTES = 8 * 2 ** 20;
/** No single one may push all others out. */
const LARGEST_SHARE = 8;
/** What one takes besides its answer. */
const OWN_BYTES = 600;

/** What was made of a body that was answered from the cache. */
export interface KnownBody<Asked extends Question> {
  readonly version: VersionRecord;
  /** Under what the cache has the answer. */
  readonly key: string;
  /** Without the inputs: they are in the key. */
  readonly asked: Asked;
  /** What the answer was made of, and the answer, where it would be the same today. */
  readonly told?: { readonly outputs: readonly Tensor[]; readonly answer: DialectAnswer };
}

/**
 * Bodies that came again, byte for byte: what they say need not be read a third time, which takes longer than all else where they are large. What
 * is known is what a dialect made of them; whether there still is an answer the cache knows.
 */
export class KnownBodies<Asked extends Question> {
  private readonly bodies = new LRUCache<string, KnownBody<Asked>>({
    max: MOST_BODIES,
    maxSize: MOST_BYTES,
    maxEntrySize: MOST_BYTES / LARGEST_SHARE,
    sizeCalculation: ({ asked, told }) => OWN_BYTES + JSON.stringify(asked).length + 2 * (told?.answer.body.length ?? 0),
  });

  /** What is known of the body of a request. */
  find(request: Request, body: Buffer): KnownBody<Asked> | undefined {
    return this.bodies.size === 0 ? undefined : this.bodies.get(nameOf(request, body)); // nobody repeats himself: nothing is hashed
  }

  remember(request: Request, body: Buffer, { asked, ...known }: KnownBody<Asked>): void {
    this.bodies.set(nameOf(request, body), { ...known, asked: { ...asked, inputs: [] } });
  }
}

/** All that a dialect reads of a request, besides what a proxy or an encoding makes of its bytes. */
function nameOf({ url, headers }: Request, body: Buffer): string {
  return `${hash('sha256', body, 'base64url')} ${String(headers[JSON_LENGTH_HEADER.toLowerCase()])} ${url}`;
}
