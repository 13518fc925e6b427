import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getMetadataStorage } from 'class-validator';
import type { Datatype, Signature, TensorSpec } from '../../runtime/tensor';
import { checked } from '../../wire/checked';
import { labelOutputOf, ModelMetadata, probabilitiesOf, refuseMismatch } from './model-metadata';

const ANY = -1;

function spec(name: string, shape: readonly number[], datatype: Datatype = 'FP32'): TensorSpec {
  return { name, datatype, shape };
}

const X = spec('x', [ANY, 2]);

/** A signature with these outputs, and one matrix of two columns as its input. */
function giving(...outputs: readonly TensorSpec[]): Signature {
  return { inputs: [X], outputs };
}

function taking(...inputs: readonly TensorSpec[]): Signature {
  return { inputs, outputs: [spec('y', [ANY, 1])] };
}

function mismatch(field: string, expected: string, actual: string): Error {
  return expect.objectContaining({ code: 'METADATA_MISMATCH', kind: 'invalid', details: { field: `metadata.${field}`, expected, actual } });
}

describe(ModelMetadata, () => {
  it.each([
    {},
    { description: 'Species of an iris', tags: ['flowers', 'example'] },
    { task: 'classification', labels: ['a', 'b'], probabilityOutput: 'p', featureNames: ['x', 'y'] },
    { task: 'regression', nonFinite: 'reject', deadlineMs: 3_600_000 },
    { task: 'other', nonFinite: 'null', deadlineMs: 1, tags: [], description: '' },
    { labels: Array.from({ length: 100_000 }, (_, at) => `class ${at}`) },
    { cache: { enabled: true, ttlSeconds: 60 }, batching: 'exact', maxDelayMicros: 0, isolation: 'always', engine: 'onnx', pinned: true },
    { drift: 'off', cache: {}, batching: 'off', maxDelayMicros: 1_000_000, isolation: 'auto', engine: 'auto' },
    { featureNames: ['x'], baseline: { x: { edges: [-1, 0.5], shares: [0.25, 0.5, 0.25] } } },
  ])('takes what an uploader may say', (metadata) => {
    expect(Object.entries(checked(ModelMetadata, metadata, 'metadata'))).toEqual(Object.entries(metadata));
  });

  it.each([
    ['description', 7],
    ['description', 'x'.repeat(4097)],
    ['tags', 'flowers'],
    ['tags', [7]],
    ['tags', ['x'.repeat(65)]],
    ['tags', Array.from({ length: 33 }, (_, at) => `${at}`)],
    ['task', 'clustering'],
    ['featureNames', { 0: 'x' }],
    ['featureNames', ['x', 'x']],
    ['featureNames', ['']],
    ['featureNames', Array.from({ length: 100_001 }, (_, at) => `${at}`)],
    ['labels', [1, 2]],
    ['labels', ['yes', 'yes']],
    ['probabilityOutput', ''],
    ['nonFinite', 'nan'],
    ['deadlineMs', 0],
    ['deadlineMs', 1.5],
    ['deadlineMs', '1000'],
    ['deadlineMs', 3_600_001],
    ['cache', 'on'],
    ['cache.ttlSeconds', { ttlSeconds: 0 }],
    ['cache.ttl', { ttl: 60 }],
    ['batching', true],
    ['drift', 'auto'],
    ['maxDelayMicros', -1],
    ['maxDelayMicros', 1_000_001],
    ['isolation', 'never'],
    ['engine', 'torch'],
    ['baseline', []],
    ['baseline', { x: { edges: [0] } }],
    ['baseline', { x: { edges: [1, 0], shares: [0.5, 0.25, 0.25] } }],
    ['baseline', { x: { edges: [0], shares: [0.5, 0.25, 0.25] } }],
    ['baseline', { x: { edges: [0], shares: [0.5, 0.4] } }],
    ['baseline', { x: { edges: [0], shares: [1.5, -0.5] } }],
    ['baseline', { x: { edges: [0], shares: [0.5, 0.5], mean: 0 } }],
    ['digest', 'abc'],
    ['stage', 'production'],
  ])('refuses "%s" that breaks its rule, and says which', (member, value) => {
    const error = { code: 'MALFORMED_BODY', details: expect.objectContaining({ field: `metadata.${member}` }) };
    expect(() => checked(ModelMetadata, { [member.split('.')[0] as string]: value }, 'metadata')).toThrow(expect.objectContaining(error));
  });

  it.each(['description', 'tags', 'task', 'featureNames', 'labels', 'probabilityOutput', 'nonFinite', 'deadlineMs'])(
    'refuses null for "%s": what is not said is left out',
    (member) => {
      const error = { code: 'MALFORMED_BODY', details: expect.objectContaining({ field: `metadata.${member}`, actual: 'null' }) };
      expect(() => checked(ModelMetadata, { [member]: null }, 'metadata')).toThrow(expect.objectContaining(error));
    },
  );
});

describe(refuseMismatch, () => {
  it.each<[ModelMetadata, Signature]>([
    [{}, giving(spec('y', [ANY, 1]))],
    [{ description: 'any', tags: ['any'], task: 'other', nonFinite: 'reject', deadlineMs: 5 }, giving()],
    [{ featureNames: ['a', 'b'] }, taking(X)],
    [{ featureNames: ['a', 'b', 'c'] }, taking(spec('x', [ANY, ANY]))],
    [{ featureNames: ['a', 'b'] }, taking(spec('x', [1, 2], 'BYTES'))],
    [{ labels: ['a', 'b', 'c'] }, giving(spec('p', [ANY, 3]))],
    [{ labels: ['a', 'b', 'c'] }, giving(spec('p', [ANY, ANY]))],
    [{ labels: ['no', 'yes'] }, giving(spec('p', [ANY, 1]))],
    [{ labels: ['a', 'b', 'c'] }, giving(spec('class', [ANY], 'INT64'))],
    [{ labels: ['a', 'b', 'c'], task: 'regression' }, giving(spec('y', [ANY, 1]))],
    [{ labels: ['a', 'b'], probabilityOutput: 'p' }, giving(spec('logits', [ANY, 7]), spec('p', [ANY, 2]))],
    [{ labels: ['no', 'yes'], probabilityOutput: 'p' }, giving(spec('p', [ANY], 'FP64'))],
    [{ probabilityOutput: 'p' }, giving(spec('p', [ANY, 2]))],
  ])('accepts %j', (metadata, signature) => {
    expect(() => refuseMismatch(metadata, signature)).not.toThrow();
  });

  it.each([
    ['1 names', ['a'], taking(X), '2 names, as the input "x" has columns'],
    ['3 names', ['a', 'b', 'c'], taking(X), '2 names, as the input "x" has columns'],
    ['0 names', [], taking(X), '2 names, as the input "x" has columns'],
    ['2 names', ['a', 'b'], taking(X, spec('z', [ANY, 2])), 'none: the model does not take one matrix of features'],
    ['2 names', ['a', 'b'], taking(spec('image', [ANY, 2, 3])), 'none: the model does not take one matrix of features'],
    ['1 names', ['a'], taking(spec('x', [ANY])), 'none: the model does not take one matrix of features'],
    ['1 names', ['a'], taking(spec('x', [])), 'none: the model does not take one matrix of features'],
    ['0 names', [], taking(), 'none: the model does not take one matrix of features'],
  ])('refuses %s for features that the model does not have', (actual, featureNames, signature, expected) => {
    expect(() => refuseMismatch({ featureNames }, signature)).toThrow(mismatch('featureNames', expected, actual));
  });

  it.each([
    [
      ['a', 'b'],
      [ANY, 3],
    ],
    [
      ['a', 'b', 'c', 'd'],
      [ANY, 3],
    ],
    [['a'], [ANY, 3]],
    [[], [ANY, 3]],
    [
      ['a', 'b', 'c'],
      [ANY, 1],
    ],
  ])('refuses the labels %j for columns %j', (labels, shape) => {
    const expected = `${shape[1]} labels, one for each column of the output "p"`;
    expect(() => refuseMismatch({ labels }, giving(spec('p', shape)))).toThrow(mismatch('labels', expected, `${labels.length} labels`));
  });

  it('counts the labels against the output that the metadata names', () => {
    const signature = giving(spec('logits', [ANY, 2]), spec('p', [ANY, 3]));
    const expected = '3 labels, one for each column of the output "p"';
    expect(() => refuseMismatch({ labels: ['a', 'b'], probabilityOutput: 'p' }, signature)).toThrow(
      mismatch('labels', expected, '2 labels'),
    );
  });

  it.each([
    ['q', giving(spec('logits', [ANY, 2]), spec('p', [ANY, 2])), 'one of logits, p'],
    ['label', giving(spec('label', [ANY], 'INT64'), spec('p', [ANY, 2])), 'one of p'],
    ['image', giving(spec('image', [ANY, 2, 2]), spec('p', [ANY])), 'one of p'],
    ['label', giving(spec('label', [ANY], 'BYTES')), 'none: no output holds a row of probabilities'],
    ['y', giving(spec('y', [])), 'none: no output holds a row of probabilities'],
  ])('refuses "%s", which is no output of probabilities', (probabilityOutput, signature, expected) => {
    expect(() => refuseMismatch({ probabilityOutput }, signature)).toThrow(mismatch('probabilityOutput', expected, probabilityOutput));
  });
});

describe(probabilitiesOf, () => {
  const LABEL = spec('label', [ANY], 'INT64');
  const P = spec('p', [ANY, 3]);
  const SCORE = spec('score', [ANY, 1]);

  it.each<[string, ModelMetadata, readonly TensorSpec[], string | undefined]>([
    ['of a lone matrix', {}, [P], undefined],
    ['beside a column of labels', {}, [LABEL, P], 'p'],
    ['before a column of labels', {}, [P, LABEL], 'p'],
    ['beside a column of texts', {}, [spec('label', [ANY, 1], 'BYTES'), P], 'p'],
    ['beside a matrix of whole numbers', {}, [spec('neighbours', [ANY, 3], 'INT64'), P], undefined],
    ['of a declared classifier', { task: 'classification' }, [P], 'p'],
    ['of a model with labels', { labels: ['a', 'b', 'c'] }, [P], 'p'],
    ['in double precision', { task: 'classification' }, [spec('p64', [ANY, 3], 'FP64')], 'p64'],
    ['in the first of several matrices', { task: 'classification' }, [spec('a', [ANY, 3]), P], 'a'],
    ['behind a vector and a cube', { task: 'classification' }, [spec('v', [ANY]), spec('c', [ANY, 2, 2]), P], 'p'],
    ['of whole numbers', { task: 'classification' }, [spec('votes', [ANY, 3], 'INT32')], undefined],
    ['of a regression beside a count', { task: 'regression' }, [LABEL, P], undefined],
    ['of something else', { task: 'other' }, [LABEL, P], undefined],
    ['of a regression with labels', { task: 'regression', labels: ['a'] }, [P], undefined],
    ['of a lone score beside a label', {}, [LABEL, SCORE], undefined],
    ['of a matrix after a lone score', {}, [LABEL, SCORE, P], 'p'],
    ['of a lone column of a declared classifier', { task: 'classification' }, [SCORE], 'score'],
    ['of a lone column with two labels', { labels: ['no', 'yes'] }, [LABEL, SCORE], 'score'],
    ['that are named', { probabilityOutput: 'v' }, [P, spec('v', [ANY])], 'v'],
    ['that are named in a regression', { task: 'regression', probabilityOutput: 'p' }, [P], 'p'],
    ['of a model without outputs', { task: 'classification' }, [], undefined],
  ])('finds the probabilities %s', (_, metadata, outputs, name) => {
    expect(probabilitiesOf(metadata, giving(...outputs))?.name).toBe(name);
  });
});

describe(labelOutputOf, () => {
  it.each<[string, readonly TensorSpec[], string | undefined]>([
    ['a vector of whole numbers', [spec('label', [ANY], 'INT64')], 'label'],
    ['a column of whole numbers', [spec('label', [ANY, 1], 'INT64')], 'label'],
    ['a vector of texts', [spec('label', [ANY], 'BYTES')], 'label'],
    ['a column of texts', [spec('label', [ANY, 1], 'BYTES')], 'label'],
    ['the first of several', [spec('p', [ANY, 3]), spec('one', [ANY], 'BYTES'), spec('two', [ANY], 'INT64')], 'one'],
    ['no matrix', [spec('votes', [ANY, 3], 'INT64')], undefined],
    ['no column of free width', [spec('votes', [ANY, ANY], 'INT64')], undefined],
    ['no single value', [spec('count', [], 'INT64')], undefined],
    ['no shorter whole number', [spec('small', [ANY], 'INT32')], undefined],
    ['no truth value', [spec('flag', [ANY], 'BOOL')], undefined],
    ['no floating-point number', [spec('y', [ANY])], undefined],
  ])('takes %s for labels', (_, outputs, name) => {
    expect(labelOutputOf(outputs)?.name).toBe(name);
  });
});

describe('docs/MODELS.md', () => {
  it('has a row for every member of the metadata, and no other', () => {
    const markdown = readFileSync(join(__dirname, '../../../docs/MODELS.md'), 'utf8');
    const section = markdown.slice(markdown.indexOf('## What to say about a model'));
    const rows = [...section.slice(0, section.indexOf('\n## ', 5)).matchAll(/^\| `(\w+)` \|/gm)].map(([, member]) => member);
    const rules = getMetadataStorage().getTargetValidationMetadatas(ModelMetadata, '', false, false);
    expect(rows.toSorted()).toEqual([...new Set(rules.map(({ propertyName }) => propertyName))].toSorted());
  });
});
