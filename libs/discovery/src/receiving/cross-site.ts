import type { IncomingHttpHeaders } from 'node:http';

/** Whether a page of another site has sent it, from a browser that reaches this app: CORS for every origin is not meant for that. */
export function isCrossSite(headers: IncomingHttpHeaders): boolean {
  const { origin, host = '', 'sec-fetch-site': site, 'sec-fetch-mode': mode } = headers;
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && mode !== 'navigate') return true;
  if (origin === undefined || origin === 'null') return origin === 'null';
  return !URL.canParse(origin) || new URL(origin).host !== host;
}
