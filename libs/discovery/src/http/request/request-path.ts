import { withoutCredentials } from '../../configuration/without-credentials.js';
import axios, { AxiosError, type InternalAxiosRequestConfig } from 'axios';
import { DiscoveryError } from '../../errors/discovery-error.js';

/** A path that is sent as it is: the URL parser would change none of it. */
const PLAIN_PATH = /^\/[\w\-~!$&'()*+,;=:@%/.]*(\?[\w\-~!$&()*+,;=:@%/.?]+)?$/;
/** A segment that the URL parser resolves. */
const DOT_SEGMENT = /\/\.|%2e/i;
/** A scheme, or a host without one. */
const ABSOLUTE = /^([a-z][a-z\d+.-]*:)?\/\//i;

/**
 * Path and query of a request, as axios computes them. A URL with a host is rejected, because it would bypass the balancer.
 *
 * @throws AxiosError `ERR_INVALID_URL`
 */
export function requestPath(service: string, config: InternalAxiosRequestConfig): string {
  const { url = '', baseURL = '' } = config;
  const params = config.params as unknown;
  const isPlain = baseURL === '' && PLAIN_PATH.test(url) && !url.startsWith('//') && !DOT_SEGMENT.test(url);
  if (isPlain) {
    if (params === undefined || params === null) return url;
    const query = config.paramsSerializer ? undefined : flatQuery(params as Record<string, unknown>);
    if (query !== undefined) return query === '' ? url : `${url}${url.includes('?') ? '&' : '?'}${query}`;
  }
  return parsedPath(service, config);
}

function parsedPath(service: string, config: InternalAxiosRequestConfig): string {
  const absolute = [config.url, config.baseURL].find((url) => ABSOLUTE.test(url ?? ''));
  if (absolute !== undefined) {
    const what = `"${withoutCredentials(absolute, '(not shown)')}" is not relative to the service "${service}"`;
    const cause = new DiscoveryError('RK_INVALID_ARGUMENT', what, {
      hint: 'Use a path such as /books; for other hosts inject HttpService without @ServiceClient',
    });
    throw AxiosError.from(cause, AxiosError.ERR_INVALID_URL, config);
  }
  const { paramsSerializer, baseURL = '', url = '' } = config;
  const joined = axios.getUri({ baseURL, url });
  // Without a host of its own, a path such as //books would be one.
  const { pathname, search } = new URL(`http://service${joined.startsWith('/') ? joined : `/${joined}`}`);
  // With the user's serializer, whose result is not parsed again.
  return axios.getUri({
    url: pathname + search,
    params: config.params as unknown,
    ...(paramsSerializer ? { paramsSerializer } : {}),
  });
}

/** Names and values that are sent as they are. */
const PLAIN_TEXT = /^[\w\-.~!'()*]*$/;

/** The query of an object of plain values; undefined: it has others, which axios serializes. */
function flatQuery(params: Record<string, unknown>): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(params);
  if (typeof params !== 'object' || (prototype !== Object.prototype && prototype !== null)) return undefined;
  let query = '';
  for (const name in params) {
    const value = params[name];
    if (value === undefined || value === null) continue;
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')
      return undefined;
    // A name with brackets, or the mark of a nested object, means more to axios.
    if (/[[\]{}.]/.test(name)) return undefined;
    query += `${query === '' ? '' : '&'}${encode(name)}=${encode(String(value))}`;
  }
  return query;
}

/** As axios encodes. */
function encode(text: string): string {
  if (PLAIN_TEXT.test(text)) return text;
  return encodeURIComponent(text)
    .replace(/%3A/gi, ':')
    .replace(/%24/g, '$')
    .replace(/%2C/gi, ',')
    .replace(/%20/g, '+');
}
