import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { credentialOf } from './credentials';

/** A request as Node's parser would make it. */
function request(url: string, ...headers: readonly (readonly [string, string])[]): IncomingMessage {
  const message = new IncomingMessage(new Socket());
  message.url = url;
  message.rawHeaders = headers.flat();
  const internals = message as unknown as { _addHeaderLines(headers: string[], count: number): void };
  internals._addHeaderLines(message.rawHeaders, message.rawHeaders.length);
  return message;
}

describe(credentialOf, () => {
  it.each([
    [[['Authorization', 'Bearer abc']], 'abc'],
    [[['authorization', 'bearer  abc ']], 'abc'],
    [[['X-API-Key', 'abc']], 'abc'],
    [[['X-API-Key', 'text of another form']], 'text of another form'],
    [[['Authorization', 'Basic dXNlcjpwdw==']], ''],
    [[['Authorization', 'Bearer a b']], ''],
    [[['Authorization', '']], ''],
    [[], undefined],
    [[['Cookie', 'theme=dark; token=of-another-app']], undefined],
  ] as const)('of %j is %p', (headers, expected) => {
    expect(credentialOf(request('/api/v1/models?limit=5', ...headers))).toBe(expected);
  });

  it.each([
    ['/x?api_key=a', []],
    ['/x?API_KEY=a', []],
    ['/x?a=1&access_token=a', []],
    ['/x?%61pi_key=a', []],
    ['/x?key=a', []],
    ['/x?whatever=aapi_live_x', []],
    ['/x', [['Cookie', 'a=b; api_key=c']]],
    ['/x', [['Cookie', 'session=aapi_live_x']]],
    ['/x', [['Authorization', 'Bearer a'], ['X-API-Key', 'a']]], // prettier-ignore
    ['/x', [['Authorization', 'Bearer a'], ['authorization', 'Bearer a']]], // prettier-ignore
    ['/x', [['X-API-Key', 'a'], ['x-api-key', 'b']]], // prettier-ignore
  ] as const)('refuses %s with %j, and does not repeat the key', (url, headers) => {
    const read = (): unknown => credentialOf(request(url, ...headers));
    expect(read).toThrow(expect.objectContaining({ code: 'KEY_MISPLACED' }));
    expect(read).not.toThrow('aapi_live_x');
  });
});
