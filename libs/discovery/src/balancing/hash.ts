/**
 * A 31-bit hash of a string, evenly distributed, that allocates nothing: FNV-1a (Fowler, Noll, Vo) over its UTF-16 units,
 * then the finalizer of MurmurHash3 (Austin Appleby), since FNV alone leaves similar strings close to each other. Not for
 * secrets.
 */
export function hash(text: string, seed = 0): number {
  let state = 0x811c9dc5 ^ seed;
  for (let at = 0; at < text.length; at++) state = Math.imul(state ^ text.charCodeAt(at), 0x01000193);
  return mix(state);
}

/** Hashes a hash. */
export function mix(value: number): number {
  let state = value;
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  // 31 bits: V8 stores such an integer without a heap number.
  return (state ^ (state >>> 16)) & 0x7fffffff;
}
