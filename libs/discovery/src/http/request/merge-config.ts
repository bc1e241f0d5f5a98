import {
  AxiosHeaders,
  type AxiosRequestConfig,
  type HeadersDefaults,
  type InternalAxiosRequestConfig,
} from 'axios';
import { BUCKETS } from './known-options.js';
import type { RequestDefaults } from './request-defaults.js';

type Values = Record<string, unknown>;

/**
 * The config of a request over the defaults, as axios merges them, for the options that `optionBeyondMerge` lets pass: axios's own
 * merge costs more than all else on the path of a call.
 */
export function mergeConfig(
  defaults: RequestDefaults,
  config: AxiosRequestConfig | undefined,
  method: string,
  url: string | undefined,
  data: unknown,
): InternalAxiosRequestConfig {
  const merged = config ? withOptions(defaults.values, config) : defaults.config();
  const headers = defaults.headers as HeadersDefaults | undefined;
  merged.method = method;
  merged.url = url;
  merged.data = data;
  merged.headers = mergeHeaders(headers, config?.headers, method);
  return merged;
}

/** A spread would be slower: its result has no room for more properties. */
function withOptions(defaults: Values, config: AxiosRequestConfig): InternalAxiosRequestConfig & Values {
  const merged = Object.assign({}, defaults, config) as InternalAxiosRequestConfig & Values;
  for (const name in config)
    if (config[name as keyof AxiosRequestConfig] === undefined) merged[name] = defaults[name];
  return merged;
}

function mergeHeaders(
  defaults: HeadersDefaults | undefined,
  own: AxiosRequestConfig['headers'],
  method: string,
): AxiosHeaders {
  const headers = new AxiosHeaders() as AxiosHeaders & Values;
  if (defaults) {
    addAll(headers, defaults.common);
    addAll(headers, (defaults as unknown as Record<string, Values | undefined>)[method]);
    for (const name in defaults)
      if (!BUCKETS.has(name))
        headers.set(name, (defaults as unknown as Record<string, string>)[name] ?? null);
  }
  if (own) for (const name in own) headers.set(name, (own as Record<string, string>)[name]);
  return headers;
}

function addAll(headers: AxiosHeaders & Values, values: Values | undefined): void {
  for (const name in values) {
    // axios's own defaults, which come first, need no look at what is there already.
    if (name === 'Accept' || name === 'Content-Type') headers[name] = values[name];
    else headers.set(name, values[name] as string);
  }
}
