import { differenceOf, examplesOf } from './shown-answer';

const json = (shown: string, said: string) => differenceOf({ language: 'json', text: shown }, said);
const text = (shown: string, said: string) => differenceOf({ language: 'text', text: shown }, said);

describe(examplesOf, () => {
  it('gives each command the answers below it', () => {
    const markdown = '# Title\n```sh\none\n```\nsays\n```text\n1\n```\nand\n```json\n{}\n```\n```js\ntwo\n```\n```sql\nno\n```\n';
    expect(examplesOf(markdown)).toEqual([
      { language: 'sh', commands: 'one\n', answers: [{ language: 'text', text: '1\n' }, { language: 'json', text: '{}\n' }] }, // prettier-ignore
      { language: 'js', commands: 'two\n', answers: [] },
    ]);
  });
});

describe(differenceOf, () => {
  it.each([
    ['{"a":1}', '{"a":1,"b":2}'],
    ['{"a":"…","b":["…"],"c":["x","…"]}', '{"a":{"deep":[1]},"b":[1,2],"c":["x","y"]}'],
    ['{"etag":"…-7","n":null,"yes":true}', '{"etag":"9f1c-7","n":null,"yes":true}'],
    ['{"p":0.53}', '{"p":0.5336}'],
    ['{"a":1}', 'HTTP/1.1 200 OK\r\nX: {}\r\n\r\n{"a":1}'],
  ])('finds none where %s is shown of %s', (shown, said) => {
    expect(json(shown, said)).toBeUndefined();
  });

  it.each([
    ['{"a":1}', '{"a":2}', 'answer.a: shown is 1, but it is 2'],
    ['{"a":1}', '{"a":1.4}', 'answer.a: shown is 1, but it is 1.4'],
    ['{"a":1}', '{"a":"1"}', 'answer.a: shown is 1, but it is "1"'],
    ['{"a":"…"}', '{"b":1}', 'answer.a: shown is "…", but it is undefined'],
    ['{"a":["x"]}', '{"a":["x","y"]}', 'answer.a: shown are 1, but there are 2'],
    ['{"a":["x","…"]}', '{"a":["y"]}', 'answer.a.0: shown is "x", but it is "y"'],
    ['{"a":[]}', '{"a":{}}', 'answer.a: shown is [], but it is {}'],
    ['{"a":{}}', '{"a":null}', 'answer.a: shown is {}, but it is null'],
    ['{"a":null}', '{"a":0}', 'answer.a: shown is null, but it is 0'],
    ['{"etag":"…-7"}', '{"etag":"9f1c-17x"}', 'answer.etag: shown is "…-7", but it is "9f1c-17x"'],
    ['{"p":0.54}', '{"p":0.5336}', 'answer.p: shown is 0.54, but it is 0.5336'],
  ])('finds one where %s is shown of %s', (shown, said, difference) => {
    expect(json(shown, said)).toBe(difference);
  });

  it('finds lines in their order, and what is not there', () => {
    const said = 'HTTP/1.1 409 Conflict\r\nETag: "x-7"\r\n\r\nbody';
    expect(text('HTTP/1.1 409 Conflict\nETag: "…-7"\nbody\n', said)).toBeUndefined();
    expect(text('HTTP/1.1 200 OK\n', said)).toContain('no line "HTTP/1.1 200 OK"');
    expect(text('ETag: "…-7"\nHTTP/1.1 409 Conflict\n', said)).toContain('no line "HTTP/1.1 409 Conflict"');
    expect(text('Conflict\n', said)).toContain('no line');
  });
});
