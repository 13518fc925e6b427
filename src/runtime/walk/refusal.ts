import { OnnxRefused } from './onnx-refused';
import { NotProtobuf } from './protobuf';

const MAX_SHOWN = 100;

/** A name from a file as a message shows it: in quotes, and not all of it where it is long. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > MAX_SHOWN ? `${name.slice(0, MAX_SHOWN)}…` : name);
}

/** Does `work` on the bytes of a file. @throws OnnxRefused also where they turn out not to be of an ONNX file */
export function asOnnx<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof NotProtobuf)) throw cause;
    throw new OnnxRefused(`it is not an ONNX file: ${cause.message}`, { cause });
  }
}
