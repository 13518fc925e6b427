import { leftInCircle } from './circle';

const needs = (nodes: Readonly<Record<string, readonly string[]>>) => new Map(Object.entries(nodes));

describe(leftInCircle, () => {
  it.each([
    ['nothing', {}],
    ['a chain, told from its end', { c: ['b'], b: ['a'], a: [] }],
    ['a diamond', { a: [], b: ['a'], c: ['a'], d: ['b', 'c'] }],
    ['a node that takes another one twice', { a: [], b: ['a', 'a'] }],
  ])('finds none in %s', (_what, nodes) => {
    expect(leftInCircle(needs(nodes))).toBeUndefined();
  });

  it.each([
    ['that waits for itself', { a: ['a'] }, ['a']],
    ['of a pair that nothing leads to', { a: [], b: ['c'], c: ['b'] }, ['b', 'c']],
    ['of a pair that also takes what is outside', { a: [], b: ['a', 'c'], c: ['b'] }, ['b', 'c']],
    ['behind a circle or in it', { a: [], b: ['a', 'c'], c: ['b'], d: ['c'] }, ['b', 'c', 'd']],
  ])('finds one %s', (_what, nodes, left) => {
    expect(left).toContain(leftInCircle(needs(nodes)));
  });
});
