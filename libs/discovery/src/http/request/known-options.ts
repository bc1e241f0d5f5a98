import axios, { type AxiosRequestConfig, type InternalAxiosRequestConfig } from 'axios';

type Check = (value: unknown) => boolean;

const anything: Check = () => true;
const RESPONSE_TYPES: ReadonlySet<unknown> = new Set(['json', 'text', 'arraybuffer', 'stream']);
/** Of `transitional`: what we implement, or means nothing outside of a browser. */
const TRANSITIONAL: ReadonlySet<string> = new Set([
  'silentJSONParsing',
  'forcedJSONParsing',
  'clarifyTimeoutError',
  'legacyInterceptorReqResOrdering',
  'encodeBasicAuthUsername',
]);

/** Another one that has axios's default changes nothing, whatever newer versions of axios add. */
const isKnownTransitional: Check = (value) => {
  const own = value as Readonly<Record<string, unknown>>;
  const defaults = axios.defaults.transitional as Readonly<Record<string, unknown>>;
  for (const key in own) if (!TRANSITIONAL.has(key) && own[key] !== defaults[key]) return false;
  return true;
};

/**
 * The options of axios that our transport implements, or that mean nothing outside of a browser. A request with any other option is
 * handed to axios's own code, so that none can be ignored, whatever versions of axios add.
 */
const UNDICI: Readonly<Record<string, Check>> = {
  adapter: anything,
  allowAbsoluteUrls: (value) => value === true,
  auth: anything,
  baseURL: anything,
  call: anything,
  cancelToken: anything,
  data: anything,
  decompress: anything,
  env: anything,
  formSerializer: anything,
  headers: anything,
  maxBodyLength: anything,
  maxContentLength: anything,
  maxRedirects: anything,
  method: anything,
  params: anything,
  paramsSerializer: anything,
  parseReviver: anything,
  proxy: (value) => value === false,
  responseEncoding: anything,
  responseType: (value) => RESPONSE_TYPES.has(value),
  signal: anything,
  timeout: anything,
  timeoutErrorMessage: anything,
  transformRequest: anything,
  transformResponse: anything,
  transitional: (value) => value === axios.defaults.transitional || isKnownTransitional(value),
  url: anything,
  validateStatus: anything,
  withCredentials: anything,
  withXSRFToken: anything,
  xsrfCookieName: anything,
  xsrfHeaderName: anything,
};

/** The name of an option that our transport does not implement; undefined: there is none. */
export function optionBeyondUndici(config: InternalAxiosRequestConfig): string | undefined {
  for (const name in config) {
    const value: unknown = config[name as keyof InternalAxiosRequestConfig];
    if (value === undefined || value === null) continue;
    const check = UNDICI[name];
    if (!check?.(value)) return name;
  }
  return undefined;
}

const isPlainHeaders: Check = (headers) => {
  if (headers instanceof axios.AxiosHeaders) return true;
  const prototype: unknown = Object.getPrototypeOf(headers);
  if (prototype !== Object.prototype && prototype !== null) return false;
  for (const name in headers as object) if (BUCKETS.has(name)) return false;
  return true;
};

/** Keys of `headers` that hold those of a method. */
export const BUCKETS: ReadonlySet<string> = new Set([
  ...[
    'common',
    'delete',
    'get',
    'head',
    'options',
    'post',
    'put',
    'patch',
    'link',
    'unlink',
    'purge',
    'query',
  ],
]);

/** The options that `mergeConfig` of axios treats as we do in `merge-config.ts`; the others have rules of their own. */
const MERGEABLE: Readonly<Record<string, Check>> = {
  ...UNDICI,
  adapter: () => false,
  headers: isPlainHeaders,
  transitional: () => false,
};

/**
 * The name of an option of a request that is left to axios's core; undefined: there is none.
 *
 * @param defaults what a request with the same option would have to be merged with
 */
export function optionBeyondMerge(config: AxiosRequestConfig, defaults: object): string | undefined {
  for (const name in config) {
    const value: unknown = config[name as keyof AxiosRequestConfig];
    const check = MERGEABLE[name];
    if (!check || !Object.hasOwn(config, name)) return name;
    if (value === undefined || value === null) {
      // Even if it is undefined, it takes the place of the default.
      if (name === 'validateStatus') return name;
      continue;
    }
    if (!check(value) || (MERGED_DEEPLY.has(name) && isSet(defaults, name))) return name;
  }
  return undefined;
}

const MERGED_DEEPLY: ReadonlySet<string> = new Set(['auth', 'call', 'params', 'env', 'formSerializer']);

function isSet(defaults: object, name: string): boolean {
  return (defaults as Record<string, unknown>)[name] !== undefined;
}

/** The name of a default that is left to axios's core. */
export function defaultBeyondMerge(defaults: object, adapter: unknown): string | undefined {
  for (const name in defaults) {
    const value = (defaults as Record<string, unknown>)[name];
    // Set on the prototype of all objects: axios knows how to keep it out.
    if (!Object.hasOwn(defaults, name)) return name;
    if (value === undefined || value === null) continue;
    if (name === 'adapter' ? value !== adapter : !UNDICI[name]?.(value)) return name;
  }
  return undefined;
}
