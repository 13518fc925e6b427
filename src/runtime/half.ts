const scratch = new DataView(new ArrayBuffer(4));

/** The number that the 16 bits of an IEEE 754 binary16 say. */
export function fromHalf(bits: number): number {
  scratch.setUint16(0, bits);
  return scratch.getFloat16(0);
}

/** The bits of the IEEE 754 binary16 that is nearest to a number (ties to even); what is too large becomes infinity. */
export function toHalf(value: number): number {
  scratch.setFloat16(0, value);
  return scratch.getUint16(0);
}
