/** RFC 9110, 9.2.2; QUERY is safe as well. */
const IDEMPOTENT: ReadonlySet<string> = new Set([
  'get',
  'head',
  'put',
  'delete',
  'options',
  'trace',
  'query',
]);

/** Whether a request of this method of HTTP may be sent twice. */
export function isIdempotent(method = 'get'): boolean {
  return IDEMPOTENT.has(method) || IDEMPOTENT.has(method.toLowerCase());
}
