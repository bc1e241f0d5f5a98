/** The request that follows a redirect. */
export interface Redirected {
  readonly url: string;
  readonly method: string;
  readonly keepsBody: boolean;
  /** Credentials are sent to the host that they were set for only. */
  readonly keepsCredentials: boolean;
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * The request that a response redirects to, or undefined. As in browsers, and allowed by RFC 9110 section 15.4: 303 becomes
 * a GET, and so does a POST that is moved by 301 or 302; 307 and 308 keep method and body.
 */
export function redirected(
  status: number,
  location: string | string[] | undefined,
  url: string,
  method: string,
): Redirected | undefined {
  const target = Array.isArray(location) ? location[0] : location;
  if (!REDIRECTS.has(status) || target === undefined || !URL.canParse(target, url)) return undefined;
  const next = new URL(target, url);
  const becomesGet = (status === 303 && method !== 'HEAD') || (status < 303 && method === 'POST');
  return {
    url: next.href,
    method: becomesGet ? 'GET' : method,
    keepsBody: !becomesGet,
    keepsCredentials: next.origin === new URL(url).origin,
  };
}
