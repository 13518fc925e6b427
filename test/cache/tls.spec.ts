import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { OpenedCache, keyOf, valueOf } from './opened-cache';
import { RedisProcess, describeWith, freePort } from './redis-process';

describeWith(['redis-server', 'openssl'], 'a Redis behind TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'analytics-api-tls-'));
  const known = getCACertificates('default');
  let redis: RedisProcess;
  let tlsUrl: string;

  beforeAll(async () => {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const names = ['-subj', '/CN=redis', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ed25519', '-nodes', '-days', '1', '-keyout', key, '-out', cert, ...names], {
      stdio: 'ignore',
    });
    const port = await freePort();
    redis = await RedisProcess.start({
      args: [
        '--tls-port',
        String(port),
        '--tls-cert-file',
        key.replace('key', 'cert'),
        '--tls-key-file',
        key,
        '--tls-auth-clients',
        'no',
        '--requirepass',
        'pass',
      ],
      login: ':pass@',
    });
    tlsUrl = `rediss://:pass@localhost:${port}`;
  });
  afterEach(() => setDefaultCACertificates(known));
  afterAll(async () => {
    await redis?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is used where its certificate is one that Node trusts', async () => {
    setDefaultCACertificates([...known, readFileSync(join(folder, 'cert.pem'), 'utf8')]);
    const opened = await OpenedCache.connected(tlsUrl);
    await opened.store([keyOf(1)]);
    expect((await opened.cache.get(keyOf(1)))?.value).toBe(valueOf(keyOf(1)));
    expect(await opened.cache.clear()).toBe(1);
    await opened.close();
  });

  it('is not used where it is not', async () => {
    const opened = await OpenedCache.open({ redisUrl: tlsUrl });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(opened.cache.hasSecondTier).toBe(false);
    await opened.close();
  });
});
