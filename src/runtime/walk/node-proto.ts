import { OnnxRefused } from './onnx-refused';
import { type Operator, operatorOf } from './operator';
import { Fields } from './protobuf';
import { quoted } from './refusal';
import { nameOf } from './value-info';

/** Inputs, outputs and attributes that one node may have. */
const MAX_PARTS = 100_000;

/** NodeProto of onnx.proto, its attributes unread. An input left out is ''. */
export interface NodeProto {
  readonly name: string;
  readonly operator: Operator;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: readonly Uint8Array[];
}

/** @throws OnnxRefused, NotProtobuf */
export function readNode(source: Uint8Array): NodeProto {
  const fields = new Fields(source);
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes: Uint8Array[] = [];
  let [name, op, domain, overload] = ['', '', '', ''];
  while (fields.next()) {
    if (fields.number === 1) inputs.push(nameOf(fields));
    else if (fields.number === 2) outputs.push(nameOf(fields));
    else if (fields.number === 3) name = nameOf(fields);
    else if (fields.number === 4) op = nameOf(fields);
    else if (fields.number === 5) attributes.push(fields.bytes);
    else if (fields.number === 7) domain = nameOf(fields);
    else if (fields.number === 8) overload = nameOf(fields);
    if (inputs.length + outputs.length + attributes.length > MAX_PARTS) {
      throw new OnnxRefused(`the node ${quoted(name || op)} has more than ${MAX_PARTS} inputs, outputs and attributes: split it`);
    }
  }
  return { name, operator: operatorOf(domain, op, overload), inputs, outputs, attributes };
}

/** The name of an AttributeProto of onnx.proto. @throws OnnxRefused, NotProtobuf */
export function attributeName(source: Uint8Array): string {
  const fields = new Fields(source);
  let name = '';
  while (fields.next()) if (fields.number === 1) name = nameOf(fields);
  return name;
}
