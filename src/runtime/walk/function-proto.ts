import { MAX_NODES } from './local-functions';
import { OnnxRefused } from './onnx-refused';
import { type Operator, operatorOf } from './operator';
import { Fields } from './protobuf';
import { quoted } from './refusal';
import { nameOf, readValueInfo } from './value-info';

/** A FunctionProto of onnx.proto, its nodes and the defaults of its attributes unread. */
export interface FunctionProto {
  /** that a node calls it by */
  readonly operator: Operator;
  /** 'the function "f"' */
  readonly title: string;
  readonly nodes: readonly Uint8Array[];
  readonly defaults: readonly Uint8Array[];
}

/** Reads FunctionProto: name 1, node 7, domain 10, attribute_proto 11, value_info 12, overload 13. @throws OnnxRefused, NotProtobuf */
export function readFunction(source: Uint8Array): FunctionProto {
  const fields = new Fields(source);
  const nodes: Uint8Array[] = [];
  const defaults: Uint8Array[] = [];
  let [name, domain, overload] = ['', '', ''];
  while (fields.next()) {
    if (fields.number === 1) name = nameOf(fields);
    else if (fields.number === 7) nodes.push(fields.bytes);
    else if (fields.number === 10) domain = nameOf(fields);
    else if (fields.number === 11) defaults.push(fields.bytes);
    else if (fields.number === 12) readValueInfo(fields.bytes);
    else if (fields.number === 13) overload = nameOf(fields);
    if (nodes.length + defaults.length > MAX_NODES) throw new OnnxRefused(`the function ${quoted(name)} has more than ${MAX_NODES} nodes`);
  }
  return { operator: operatorOf(domain, name, overload), title: `the function ${quoted(name)}`, nodes, defaults };
}
