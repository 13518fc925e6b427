import { OutputUnknown } from '../../inference/inference.errors';
import type { Datatype, Signature, TensorSpec } from '../../runtime/tensor';
import { MalformedBody } from '../../wire/wire.errors';
import { arrayOf, countOf, membersOf, optionalMembersOf, optionalTruthOf, textOf } from './members';
import { NoJsonForm, NotClassifiable } from './open-inference.errors';

const NO_CLASSES: ReadonlySet<Datatype> = new Set(['BYTES', 'BOOL', 'FP16']);

/** How an output is to be told. */
export interface OutputForm {
  /** As bytes behind the JSON. */
  readonly binary: boolean;
  /** How many of its greatest elements, as classes; 0: the elements themselves. */
  readonly classes: number;
}

/** What is to be answered. */
export interface RequestedOutputs {
  /** In the order asked for; undefined: all, in the model's order. */
  readonly names?: readonly string[];
  readonly forms: ReadonlyMap<string, OutputForm>;
}

/**
 * Reads what a request wants. An output that does not say whether it is to be binary is as the whole request says.
 * @param value the member `outputs`; absent or empty: all
 * @throws MalformedBody, OutputUnknown, NoJsonForm, NotClassifiable
 */
export function requestedOutputs(value: unknown, binary: boolean, { outputs: specs }: Signature): RequestedOutputs {
  const asked = arrayOf(value ?? [], 'outputs');
  const forms = new Map<string, OutputForm>();
  if (asked.length === 0) for (const spec of specs) forms.set(spec.name, fit(spec, { binary, classes: 0 }));
  for (const [at, each] of asked.entries()) {
    const output = membersOf(each, `outputs[${at}]`);
    const name = textOf(output['name'], `outputs[${at}].name`);
    if (forms.has(name)) throw askedTwice(name);
    const form = formOf(output['parameters'], binary, `outputs[${at}].parameters`);
    forms.set(name, fit(specOf(name, specs), form));
  }
  return { forms, ...(asked.length > 0 && { names: [...forms.keys()] }) };
}

/** All outputs as bytes. */
export function allBinary({ outputs }: Signature): RequestedOutputs {
  return { forms: new Map(outputs.map(({ name }) => [name, { binary: true, classes: 0 }])) };
}

function specOf(name: string, specs: readonly TensorSpec[]): TensorSpec {
  const spec = specs.find((each) => each.name === name);
  if (spec !== undefined) return spec;
  throw new OutputUnknown(specs.map((each) => each.name), name.slice(0, 80)); // prettier-ignore
}

function formOf(value: unknown, inherited: boolean, field: string): OutputForm {
  const parameters = optionalMembersOf(value, field);
  if ('shared_memory_region' in parameters) {
    throw new MalformedBody('Shared memory is not offered', { field, expected: 'data or bytes', actual: 'shared_memory_region' });
  }
  const binary = optionalTruthOf(parameters['binary_data'], `${field}.binary_data`) ?? inherited;
  return { binary, classes: countOf(parameters['classification'] ?? 0, `${field}.classification`) };
}

/** Refuses before the model runs what could not be told afterwards. */
function fit({ name, datatype }: TensorSpec, form: OutputForm): OutputForm {
  if (form.classes > 0 && NO_CLASSES.has(datatype)) {
    throw new NotClassifiable(name, 'an output of numbers, but FP16', datatype);
  }
  if (datatype === 'FP16' && !form.binary) {
    throw new NoJsonForm(name, datatype, 'parameters.binary_data true for this output, or binary_data_output true for all');
  }
  return form;
}

function askedTwice(name: string): MalformedBody {
  return new MalformedBody(`The output "${name.slice(0, 80)}" is asked for twice`, { field: 'outputs', expected: 'each output once' });
}
