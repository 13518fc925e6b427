import { InputsMismatch } from '../../inference/inference.errors';
import type { VersionRecord } from '../../models/registry/registry-records';
import type { Tensor } from '../../runtime/tensor';
import { MalformedBody } from '../../wire/wire.errors';
import type { Question } from '../dialect';
import { BinaryReader } from './binary-reader';
import { declaredInput, tensorOf } from './input-tensor';
import { arrayOf, countOf, membersOf, optionalMembersOf, optionalTruthOf, textOf } from './members';
import { type OutputForm, requestedOutputs } from './requested-outputs';

/** An inference request, decoded for one version. */
export interface InferRequest extends Question {
  /** Echoed in the answer. */
  readonly id?: string;
  /** How each output is to be told, by name. */
  readonly forms: ReadonlyMap<string, OutputForm>;
}

/** What is needed to know of the version that answers. */
export type Asked = Pick<VersionRecord, 'model' | 'signature'>;

/**
 * Decodes an inference request. Members that the protocol does not know are ignored, and null is as good as absent.
 * @param binary the bytes behind the JSON; undefined: the whole body is JSON
 * @throws MalformedBody, DatatypeUnknown, DataContradictsShape, BinaryMalformed, NoJsonForm, NumberNotRepresentable for what no model
 *   could read; InputsMismatch, DatatypeMismatch, ShapeMismatch, InvalidValue, TextNotRepresentable, OutputUnknown, NotClassifiable for
 *   what this version cannot
 */
export function decodeRequest(json: unknown, binary: Buffer | undefined, { model, signature }: Asked): InferRequest {
  const body = membersOf(json, 'body');
  const id = body['id'] ?? undefined;
  const text = id === undefined ? {} : { id: textOf(id, 'id') };
  const { binary: wantsBinary, timeoutMs } = parametersOf(body['parameters']);
  const { names, forms } = requestedOutputs(body['outputs'], wantsBinary, signature);
  const inputs = inputsOf(body['inputs'], new BinaryReader(binary, model), { model, signature });
  return { ...text, inputs, forms, ...(names !== undefined && { outputs: names }), ...(timeoutMs !== undefined && { timeoutMs }) };
}

/** Of a request's own parameters these mean something here; priority, sequence_id and others do not. */
function parametersOf(value: unknown): { readonly binary: boolean; readonly timeoutMs?: number } {
  const parameters = optionalMembersOf(value, 'parameters');
  for (const [name, parameter] of Object.entries(parameters)) refuseParameter(name, parameter);
  const binary = optionalTruthOf(parameters['binary_data_output'], 'parameters.binary_data_output') ?? false;
  const micros = countOf(parameters['timeout'] ?? 0, 'parameters.timeout');
  return micros === 0 ? { binary } : { binary, timeoutMs: micros / 1000 };
}

function refuseParameter(name: string, value: unknown): void {
  const field = `parameters.${name.slice(0, 80)}`;
  if (name.startsWith('triton_')) {
    throw new MalformedBody(`${field}: names that begin with triton_ are reserved`, { field, expected: 'another name' });
  }
  if (typeof value !== 'object' || value === null) return;
  throw new MalformedBody(`${field} must be a text, a number or a boolean`, { field, expected: 'a text, a number, true or false' });
}

function inputsOf(value: unknown, binary: BinaryReader, { model, signature }: Asked): readonly Tensor[] {
  const declared = arrayOf(value, 'inputs').map((each, at) => declaredInput(each, `inputs[${at}]`));
  const specs = signature.inputs;
  const known = declared.map(({ name }) => specs.find((spec) => spec.name === name));
  const given = declared.map(({ name }) => name);
  const tensors = known.map((spec, at) => {
    if (spec === undefined || given.length !== specs.length || given.indexOf(spec.name) !== at) throw inputsMismatch(signature, given);
    return tensorOf(declared[at] as (typeof declared)[number], spec, model, binary);
  });
  if (tensors.length !== specs.length) throw inputsMismatch(signature, given);
  binary.end();
  return tensors;
}

function inputsMismatch({ inputs }: Asked['signature'], given: readonly string[]): InputsMismatch {
  return new InputsMismatch(inputs.map(({ name }) => name), given.slice(0, 20).map((name) => name.slice(0, 80))); // prettier-ignore
}
