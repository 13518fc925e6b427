import { HostileReply, ReplyScanner } from './reply-scanner';

const MAX = 1000;
const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;

/** Hands over the text cut into pieces. */
function scan(text: string, piece = text.length): void {
  const scanner = new ReplyScanner(MAX);
  for (let at = 0; at < text.length; at += piece) scanner.scan(Buffer.from(text.slice(at, at + piece), 'latin1'));
}

describe(ReplyScanner, () => {
  const scanPage = `*2\r\n${bulk('17')}*2\r\n${bulk('aapi:1')}${bulk('aapi:2')}`;
  const subscribed = `*3\r\n${bulk('subscribe')}${bulk('aapi:clear')}:1\r\n`;
  const usual = [
    '+OK\r\n',
    '-ERR no\r\n',
    ':12\r\n',
    ':-3\r\n',
    '$-1\r\n',
    '*-1\r\n',
    '*0\r\n',
    bulk(''),
    bulk('a\r\nb'),
    scanPage,
    subscribed,
  ];

  it.each(usual)('lets pass what Redis says: %j', (reply) => {
    for (const piece of [1, 2, 3, 7, reply.length]) expect(() => scan(reply, piece)).not.toThrow();
  });

  it('lets pass any number of replies, each of them within the limit', () => {
    expect(() => scan(usual.join('').repeat(100), 13)).not.toThrow();
    expect(() => scan(bulk('x'.repeat(900)).repeat(50))).not.toThrow();
  });

  it.each([
    ['a bulk string that is too large, before any of it has come', `$${MAX + 1}\r\n`],
    ['strings that are too large together', `*3\r\n${bulk('x'.repeat(400)).repeat(3)}`],
    ['too long an array', '*10001\r\n'],
    ['arrays too deep', '*1\r\n*1\r\n*1\r\n*1\r\n'],
    ['a line without an end', `+${'x'.repeat(2000)}`],
    ['a line that the parser would end earlier', '+a\rX$999\r\n'],
    ['a line feed alone', '+a\n'],
    ['an unknown kind', '%1\r\n'],
    ['an unknown kind of null', '_-1\r\n'],
    ['an empty line', '\r\n'],
    ['a negative length', '$-2\r\n'],
    ['a length that is no number', '$1e3\r\n'],
    ['an integer that is none', ':1x\r\n'],
  ])('throws on %s', (_what, reply) => {
    for (const piece of [1, 5, reply.length]) expect(() => scan(reply, piece)).toThrow(HostileReply);
  });
});
