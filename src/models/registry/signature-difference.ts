import type { ErrorDetails } from '../../errors/app-error';
import type { TensorSpec } from '../../runtime/tensor';
import type { VersionRecord } from './registry-records';

/** Something that callers of the present version rely on, and that the next one would break. */
export type Difference = Required<ErrorDetails>;
type Callable = Pick<VersionRecord, 'signature' | 'manifest'>;

/**
 * What would break for those who call `present` when `next` answers them. A next version may take more (a free dimension where there was
 * a fixed one) and give more (further outputs); it may not ask for more, take less, or give anything in another form.
 */
export function breakingDifferences(present: Callable, next: Callable): readonly Difference[] {
  const [was, is] = [present.signature, next.signature];
  return [
    ...is.inputs.flatMap(({ name }) =>
      named(was.inputs, name) ? [] : [{ field: `input "${name}"`, expected: 'absent', actual: 'wanted' }],
    ),
    ...was.inputs.flatMap((spec) => inputDifference(spec, named(is.inputs, spec.name))),
    ...was.outputs.flatMap((spec) => outputDifference(spec, named(is.outputs, spec.name))),
    ...firstOutput(was.outputs[0], is.outputs[0]),
    ...featureNames(present.manifest.metadata.featureNames, next.manifest.metadata.featureNames),
  ];
}

function inputDifference(was: TensorSpec, is: TensorSpec | undefined): readonly Difference[] {
  if (is === undefined) return [{ field: `input "${was.name}"`, expected: told(was), actual: 'absent' }];
  const fits = was.shape.length === is.shape.length && was.shape.every((length, at) => is.shape[at] === -1 || is.shape[at] === length);
  return was.datatype === is.datatype && fits ? [] : [{ field: `input "${was.name}"`, expected: told(was), actual: told(is) }];
}

/** What a model declares of its outputs may be free where another says a number: only two different numbers contradict each other. */
function outputDifference(was: TensorSpec, is: TensorSpec | undefined): readonly Difference[] {
  if (is === undefined) return [{ field: `output "${was.name}"`, expected: told(was), actual: 'absent' }];
  const fits =
    was.shape.length === is.shape.length &&
    was.shape.every((length, at) => length === -1 || is.shape[at] === -1 || is.shape[at] === length);
  return was.datatype === is.datatype && fits ? [] : [{ field: `output "${was.name}"`, expected: told(was), actual: told(is) }];
}

/** The first output is what a native answer calls the prediction. */
function firstOutput(was: TensorSpec | undefined, is: TensorSpec | undefined): readonly Difference[] {
  if (was === undefined || is === undefined || was.name === is.name) return [];
  return [{ field: 'first output', expected: `"${was.name}"`, actual: `"${is.name}"` }];
}

/** Rows come as objects by these names or as arrays in this order. */
function featureNames(was: readonly string[] | undefined, is: readonly string[] | undefined): readonly Difference[] {
  if (was === undefined || (is !== undefined && was.length === is.length && was.every((name, at) => is[at] === name))) return [];
  if (is === undefined) return [{ field: 'featureNames', expected: listed(was), actual: 'absent' }];
  if (is.length !== was.length) return [{ field: 'featureNames', expected: listed(was), actual: listed(is) }];
  const at = was.findIndex((name, place) => is[place] !== name);
  return [{ field: `featureNames[${at}]`, expected: was[at] as string, actual: is[at] as string }];
}

function named(specs: readonly TensorSpec[], name: string): TensorSpec | undefined {
  return specs.find((spec) => spec.name === name);
}

function told({ datatype, shape }: TensorSpec): string {
  return `${datatype} [${shape.join(', ')}]`;
}

function listed(names: readonly string[]): string {
  return names.slice(0, 10).join(', ') + (names.length > 10 ? ', …' : '');
}
