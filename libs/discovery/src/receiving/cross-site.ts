import type { IncomingHttpHeaders } from 'node:http';

/** A page of another site, in a browser that may reach this one: an app whose CORS lets every origin in does not mean this. */
export function isCrossSite(headers: IncomingHttpHeaders): boolean {
  const { origin, host = '', 'sec-fetch-site': site, 'sec-fetch-mode': mode } = headers;
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && mode !== 'navigate') return true;
  if (origin === undefined || origin === 'null') return origin === 'null';
  return !URL.canParse(origin) || new URL(origin).host !== host;
}
