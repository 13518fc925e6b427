import { FailedAttempts } from './failed-attempts';

const MINUTE = 60_000;

describe(FailedAttempts, () => {
  let attempts: FailedAttempts;
  beforeEach(() => (attempts = new FailedAttempts()));

  const fail = (address: string, times: number, now = 0): void => {
    for (let at = 0; at < times; at++) attempts.count(address, now);
  };

  it('lets an address fail 20 times a minute', () => {
    fail('10.0.0.1', 19);
    expect(attempts.blockedSeconds('10.0.0.1', 0)).toBe(0);
    fail('10.0.0.1', 1);
    expect(attempts.blockedSeconds('10.0.0.1', 0)).toBe(60);
    expect(attempts.blockedSeconds('10.0.0.1', 30_500)).toBe(30);
    expect(attempts.blockedSeconds('10.0.0.1', MINUTE)).toBe(0);
    expect(attempts.blockedSeconds('10.0.0.2', 0)).toBe(0);
  });

  it('begins anew after the minute, however often the address failed in it', () => {
    fail('10.0.0.1', 1000);
    fail('10.0.0.1', 19, MINUTE);
    expect(attempts.blockedSeconds('10.0.0.1', MINUTE)).toBe(0);
    fail('10.0.0.1', 1, MINUTE + 1000);
    expect(attempts.blockedSeconds('10.0.0.1', MINUTE + 1000)).toBe(59);
  });

  it.each([
    ['2001:db8:1:2::1', '2001:db8:1:2:ffff:1:2:3'],
    ['2001:db8::1', '2001:db8:0:0:9::'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['fe80::1%eth0', 'fe80::2'],
  ])('takes %s and %s for one', (one, other) => {
    fail(one, 20);
    expect(attempts.blockedSeconds(other, 0)).toBe(60);
  });

  it.each([
    ['2001:db8:1:2::1', '2001:db8:1:3::1'],
    ['::1', '1::'],
    ['10.0.0.1', '10.0.0.11'],
  ])('does not take %s and %s for one', (one, other) => {
    fail(one, 20);
    expect(attempts.blockedSeconds(other, 0)).toBe(0);
  });

  it('remembers a bounded number of addresses, and the newest of them', () => {
    for (let at = 0; at < 30_000; at++) attempts.count(`10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`, at);
    expect(attempts.size).toBeLessThanOrEqual(10_000);
    fail('10.9.9.9', 20, 30_000);
    expect(attempts.blockedSeconds('10.9.9.9', 30_000)).toBe(60);
  });

  it('forgets those whose minute is over', () => {
    for (let at = 0; at < 100; at++) attempts.count(`10.0.0.${at}`, 0);
    attempts.count('10.0.1.1', MINUTE);
    expect(attempts.size).toBe(1);
  });
});
