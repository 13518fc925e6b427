import type { Request } from 'express';

/** Where a request comes from: its peer, or whom a proxy of `TRUSTED_PROXIES` names. */
export function addressOf(request: Request): string {
  // what Express makes of it takes a while, and without this header there is nobody else to believe
  const address = request.headers['x-forwarded-for'] === undefined ? request.socket.remoteAddress : request.ip;
  return address ?? 'gone';
}

/** What is counted as one address: whoever has one of IPv6 has 2^64 of them. */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  if (address.includes('.')) return address.slice(address.lastIndexOf(':') + 1); // an IPv4 address as an IPv6 socket shows it
  const [head = '', tail] = address.split('%', 1)[0]?.split('::') ?? [];
  const groups = head.split(':').filter(Boolean);
  const after = tail?.split(':').filter(Boolean) ?? [];
  const zeros = tail === undefined ? 0 : 8 - groups.length - after.length;
  const all = [...groups, ...Array.from({ length: zeros }, () => '0'), ...after];
  return all.slice(0, 4).join(':');
}
