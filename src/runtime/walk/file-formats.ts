interface Format {
  readonly what: string;
  readonly at: number;
  readonly magic: readonly number[] | string;
}

const TO_ONNX = 'convert it to ONNX first';

/** Files that people take for ONNX files, by the bytes that each starts with. */
const FORMATS: readonly Format[] = [
  { what: `a zip archive, such as PyTorch and Keras save their models in: ${TO_ONNX}`, at: 0, magic: 'PK\u0003\u0004' },
  { what: `an HDF5 file, such as Keras saves its models in: ${TO_ONNX}`, at: 0, magic: [0x89, 0x48, 0x44, 0x46] },
  ...[2, 3, 4, 5].map((protocol) => ({ what: `a Python pickle: ${TO_ONNX}`, at: 0, magic: [0x80, protocol] })),
  { what: `a TensorFlow Lite model: ${TO_ONNX}`, at: 4, magic: 'TFL3' },
  { what: 'a model in the ORT format: upload the ONNX file that it was made from', at: 4, magic: 'ORTM' },
  { what: `a GGUF file: ${TO_ONNX}`, at: 0, magic: 'GGUF' },
  { what: 'compressed with gzip: unpack it first', at: 0, magic: [0x1f, 0x8b] },
  { what: 'a Git LFS pointer, not the file it stands for: git lfs pull brings that', at: 0, magic: 'version https://git-lfs' },
];

const JSON_HEAD = 65_536;

/**
 * What a file is by its first bytes, where that is a format that is not ONNX: 'a zip archive, …'. The engine must never see some of
 * these: it takes a file with ORTM at its fifth byte for one of its own, whatever else the file is.
 */
export function otherFormatOf(bytes: Uint8Array): string | undefined {
  const known = FORMATS.find(({ at, magic }) => startsWith(bytes.subarray(at), magic));
  if (known) return known.what;
  if (isSafetensors(bytes)) return `a safetensors file, which holds weights and no model: ${TO_ONNX}`;
  return /^\s*[{[]/.test(textOf(bytes.subarray(0, 64))) ? jsonOf(textOf(bytes.subarray(0, JSON_HEAD))) : undefined;
}

function startsWith(bytes: Uint8Array, magic: readonly number[] | string): boolean {
  const expected = typeof magic === 'string' ? Buffer.from(magic) : magic;
  return expected.every((byte, i) => bytes[i] === byte);
}

/** Safetensors: the length of a JSON header, eight bytes little-endian, then the header. */
function isSafetensors(bytes: Uint8Array): boolean {
  if (bytes.length < 10 || bytes[8] !== 0x7b) return false;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  return length <= bytes.length - 8;
}

function jsonOf(head: string): string {
  return /"(modelTopology|weightsManifest|format)"\s*:/.test(head) ? `a TensorFlow.js model.json: ${TO_ONNX}` : 'JSON';
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
