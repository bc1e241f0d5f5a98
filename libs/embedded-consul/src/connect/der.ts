/** Distinguished Encoding Rules (ITU-T X.690), as far as a certificate needs them. */
export const sequence = (...parts: readonly Uint8Array[]): Buffer => tagged(0x30, ...parts);
export const set = (...parts: readonly Uint8Array[]): Buffer => tagged(0x31, ...parts);
export const octets = (content: Uint8Array): Buffer => tagged(0x04, content);
/** @param value 0 to 127 */
export const integer = (value: number): Buffer => tagged(0x02, Buffer.of(value));
export const TRUE = tagged(0x01, Buffer.of(0xff));
export const printable = (text: string): Buffer => tagged(0x13, Buffer.from(text, 'ascii'));
/** @param unused how many bits of the last octet are none of the value */
export const bits = (content: Uint8Array, unused = 0): Buffer => tagged(0x03, Buffer.of(unused), content);
/** @param tag of its context: constructed 0xa0 and above, primitive 0x80 and above */
export const inContext = (tag: number, ...parts: readonly Uint8Array[]): Buffer => tagged(tag, ...parts);

/** Seconds are the smallest unit; from 2050 on it has four digits of the year (RFC 5280, 4.1.2.5). */
export function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/\.\d+/, '').replace(/[-:T]/g, '');
  return date.getUTCFullYear() < 2050
    ? tagged(0x17, Buffer.from(digits.slice(2), 'ascii'))
    : tagged(0x18, Buffer.from(digits, 'ascii'));
}

/** @param id such as `2.5.29.19` */
export function objectId(id: string): Buffer {
  const [first = 0, second = 0, ...rest] = id.split('.').map(Number);
  return tagged(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(value: number): number[] {
  const octets = [value & 0x7f];
  for (let rest = value >> 7; rest > 0; rest >>= 7) octets.unshift((rest & 0x7f) | 0x80);
  return octets;
}

function tagged(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, ...lengthOf(content.length)]), content]);
}

function lengthOf(length: number): number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
}
