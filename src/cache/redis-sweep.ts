import type { RedisLink } from './redis-link';

/** A Redis that never comes to an end is left alone after that. */
const SWEEP_MS = 10_000;

/**
 * Removes every key with a prefix, a part at a time, so that nobody has to wait for all of it.
 * @param counted keys that do not count
 * @returns how many others were removed
 * @throws RedisFailure, Error where it takes too long
 */
export async function sweep(link: RedisLink, prefix: string, counted: ReadonlySet<string>): Promise<number> {
  const deadline = performance.now() + SWEEP_MS;
  const pattern = `${prefix.replace(/[\\*?[\]^-]/g, String.raw`\$&`)}*`;
  let removed = 0;
  let cursor = 0;
  do {
    if (performance.now() > deadline) throw new Error(`not through within ${SWEEP_MS} ms`);
    const page = await link.scan(cursor, pattern);
    removed += await remove(
      link,
      page.keys.filter((key) => key.startsWith(prefix)),
      counted,
    );
    ({ cursor } = page);
  } while (cursor !== 0);
  return removed;
}

async function remove(link: RedisLink, keys: readonly string[], counted: ReadonlySet<string>): Promise<number> {
  const known = keys.filter((key) => counted.has(key));
  const others = keys.filter((key) => !counted.has(key));
  if (known.length > 0) await link.unlink(known);
  return others.length > 0 ? await link.unlink(others) : 0;
}
