import { CacheConfig } from '../config/app-config';
import { loadConfig } from '../config/load-config';
import { redisAddress } from './redis-address';

describe('REDIS_URL', () => {
  it.each([
    ['redis://redis', { host: 'redis', port: 6379, tls: false, login: { database: 0 } }],
    ['redis://10.0.0.1:7000/3', { host: '10.0.0.1', port: 7000, tls: false, login: { database: 3 } }],
    [
      'rediss://user:p%40ss%2Fword@cache.example:6380',
      { host: 'cache.example', port: 6380, tls: true, login: { username: 'user', password: 'p@ss/word', database: 0 } },
    ],
    ['redis://:secret@localhost/', { host: 'localhost', port: 6379, tls: false, login: { password: 'secret', database: 0 } }],
    ['redis://[::1]:6379', { host: '::1', port: 6379, tls: false, login: { database: 0 } }],
  ])('%s is understood', (url, address) => {
    expect((loadConfig({ REDIS_URL: url }).get(CacheConfig) as CacheConfig).redisUrl).toBe(url);
    expect(redisAddress(url)).toEqual(address);
  });

  it.each([
    'redis',
    'http://redis',
    'redis://',
    'redis://a b',
    'redis://host/zero',
    'redis://host?db=1',
    'redis://us@er@host',
    'redis://u:%zz@host',
    'unix:///run/redis.sock',
  ])('%s stops the start, and is not shown', (url) => {
    expect(() => loadConfig({ REDIS_URL: url })).toThrow(/REDIS_URL=\(not shown\)/);
  });
});
