import { elementsOf, type Signature, type Tensor, type TensorSpec } from '../runtime/tensor';
import type { InferenceCall } from './inference-call';
import { DatatypeMismatch, InputsMismatch, OutputUnknown, ShapeMismatch } from './inference.errors';

/** Checks a call against what its version takes and gives. @throws as validateInputs, validateOutputs */
export function validateCall({ inputs, outputs, target }: Pick<InferenceCall, 'inputs' | 'outputs' | 'target'>): void {
  const { signature } = target.record;
  validateInputs(inputs, signature);
  if (outputs !== undefined) validateOutputs(outputs, signature);
}

/**
 * Checks inputs against what a model takes. The engine is never asked about anything that does not fit: it ignores unknown inputs.
 * @throws InputsMismatch, DatatypeMismatch, ShapeMismatch
 */
export function validateInputs(inputs: readonly Tensor[], { inputs: specs }: Signature): void {
  const unmatched = inputs.length !== specs.length || specs.some(({ name }) => !inputs.some((tensor) => tensor.name === name));
  if (unmatched) throw new InputsMismatch(namesOf(specs), namesOf(inputs));
  for (const spec of specs) validate(inputs.find(({ name }) => name === spec.name) as Tensor, spec);
}

/** @throws OutputUnknown */
export function validateOutputs(outputs: readonly string[], { outputs: specs }: Signature): void {
  const unknown = outputs.find((name) => !specs.some((spec) => spec.name === name));
  if (unknown !== undefined) throw new OutputUnknown(namesOf(specs), unknown);
}

function validate(tensor: Tensor, spec: TensorSpec): void {
  const { name, datatype, shape } = tensor;
  if (datatype !== spec.datatype) throw new DatatypeMismatch(name, spec.datatype, datatype);
  const fits = shape.length === spec.shape.length && spec.shape.every((wanted, axis) => wanted === -1 || wanted === shape[axis]);
  if (!fits) throw new ShapeMismatch(name, `[${spec.shape.join(', ')}]`, `[${shape.join(', ')}]`);
  if (tensor.data.length !== elementsOf(shape)) {
    throw new ShapeMismatch(name, `${elementsOf(shape)} elements for [${shape.join(', ')}]`, `${tensor.data.length} elements`);
  }
}

function namesOf(things: readonly { readonly name: string }[]): readonly string[] {
  return things.map(({ name }) => name);
}
