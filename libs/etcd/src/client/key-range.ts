/** A key, or a range of them. A prefix should end with a delimiter: that of `app` has `app2` in it, and that of `app/` has not. */
export type EtcdRange = string | { readonly prefix: string };

export function encodeRange(range: EtcdRange): { readonly key: Buffer; readonly range_end?: Buffer } {
  if (typeof range === 'string') return { key: Buffer.from(range) };
  const key = Buffer.from(range.prefix);
  // Of the API: from a key of one zero byte to an end of one zero byte is everything.
  if (key.length === 0) return { key: Buffer.from([0]), range_end: Buffer.from([0]) };
  return { key, range_end: endOf(key) };
}

/** The first key that does not have the prefix: its last byte is one more, since no byte of UTF-8 is the highest. */
function endOf(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  end[end.length - 1] = (prefix.at(-1) ?? 0) + 1;
  return end;
}
