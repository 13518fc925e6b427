import type { RedisClientOptions } from 'redis';

/** Where a Redis is, and who we are there. */
export interface RedisAddress {
  readonly login: Pick<RedisClientOptions, 'username' | 'password' | 'database'>;
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

const PORT = 6379;

/** @param url as `REDIS_URL` allows; @throws URIError where an escaped byte of the login is no UTF-8 */
export function redisAddress(url: string): RedisAddress {
  const { hostname, port, protocol, username, password, pathname } = new URL(url);
  return {
    login: {
      ...(username !== '' && { username: decodeURIComponent(username) }),
      ...(password !== '' && { password: decodeURIComponent(password) }),
      database: Number(pathname.slice(1)),
    },
    host: hostname.replace(/^\[|\]$/g, ''), // brackets belong to the URL, not to an IPv6 address
    port: Number(port || PORT),
    tls: protocol === 'rediss:',
  };
}
