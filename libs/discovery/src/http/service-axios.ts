import { debuglog } from 'node:util';
import axios, {
  CanceledError,
  type Axios,
  type AxiosInstance,
  type AxiosRequestConfig,
  type AxiosResponse,
  type CreateAxiosDefaults,
  type InternalAxiosRequestConfig,
} from 'axios';
import { runInterceptors } from './request/interceptors.js';
import { optionBeyondMerge, optionBeyondUndici } from './request/known-options.js';
import { mergeConfig } from './request/merge-config.js';
import { RequestDefaults } from './request/request-defaults.js';
import { transformRequest } from './request/transform-request.js';
import { transformResponse } from './response/transform-response.js';
import type { ServiceSender } from './service-sender.js';

const debug = debuglog('rookery-http');

/** Of the methods, those whose second argument is the data. */
const WITH_DATA = ['post', 'put', 'patch', 'query'] as const;
const WITHOUT_DATA = ['get', 'delete', 'head', 'options'] as const;

/**
 * An instance of axios, `interceptors`, `defaults` and all, whose requests go to a service. Where axios's core costs more than the
 * request (its merge of options alone does), a request whose options are all known takes a shorter way with the same results; any
 * other takes the core, with an adapter that ends in the same place.
 */
export function createServiceAxios(sender: ServiceSender): AxiosInstance {
  const adapter = (config: InternalAxiosRequestConfig): Promise<AxiosResponse> =>
    sender.send(config, false, () => undefined);
  // What `axios.create` wraps. Its defaults are a dictionary, which costs several times as much to copy as an object.
  const core = new axios.Axios({ ...axios.mergeConfig(axios.defaults as AxiosRequestConfig, { adapter }) });
  const defaults = new RequestDefaults(core.defaults, adapter);
  /** For a request whose interceptors have run. */
  const withoutInterceptors = axios.create({ adapter });
  withoutInterceptors.defaults.headers = { common: {} } as unknown as AxiosInstance['defaults']['headers'];

  const dispatch = (config: InternalAxiosRequestConfig): Promise<AxiosResponse> => {
    try {
      throwIfCancelled(config);
      transformRequest(config);
    } catch (error) {
      // Not thrown, since the interceptors of responses see it too.
      return rejected(error);
    }
    return sender.send(config, true, transformResponse);
  };

  /** An interceptor may have set any option. */
  const dispatchIntercepted = (config: InternalAxiosRequestConfig): Promise<AxiosResponse> => {
    const isKnown = config.adapter === adapter && optionBeyondUndici(config) === undefined;
    return isKnown ? dispatch(config) : withoutInterceptors.request(config);
  };

  const request = (
    method: string,
    url: string | undefined,
    data: unknown,
    config: AxiosRequestConfig | undefined,
    throughCore: () => Promise<AxiosResponse>,
  ): Promise<AxiosResponse> => {
    const beyond = defaults.beyond ?? (config && optionBeyondMerge(config, defaults.values));
    if (beyond !== undefined) {
      if (debug.enabled) debug('%s %s goes through the core of axios, because of %s', method, url, beyond);
      return throughCore();
    }
    try {
      const merged = mergeConfig(defaults, config, method, url, data);
      return runInterceptors(core.interceptors, merged, dispatch, dispatchIntercepted);
    } catch (error) {
      return rejected(error);
    }
  };

  const send = (configOrUrl: string | AxiosRequestConfig, config?: AxiosRequestConfig) => {
    const given = typeof configOrUrl === 'string' ? { ...config, url: configOrUrl } : configOrUrl;
    const method = given.method ?? (core.defaults as AxiosRequestConfig).method ?? 'get';
    return request(String(method).toLowerCase(), given.url, given.data, given, () => core.request(given));
  };
  const own: Record<string, unknown> = { request: send };
  for (const method of WITHOUT_DATA)
    own[method] = (url: string, config?: AxiosRequestConfig) =>
      request(method, url, config?.data, config, () => core[method](url, config));
  for (const method of WITH_DATA)
    own[method] = (url: string, data?: unknown, config?: AxiosRequestConfig) =>
      request(method, url, data, config, () => core[method](url, data, config));
  return asInstance(send, core, own);
}

/** As `axios.create` makes an instance of an `Axios`: a function with its methods. */
function asInstance(send: unknown, core: Axios, own: Record<string, unknown>): AxiosInstance {
  const instance = send as AxiosInstance & Record<string, unknown>;
  for (const name of Object.getOwnPropertyNames(axios.Axios.prototype)) {
    const method = (core as unknown as Record<string, unknown>)[name];
    if (name !== 'constructor' && typeof method === 'function')
      instance[name] = own[name] ?? (method as (...args: unknown[]) => unknown).bind(core);
  }
  const { defaults, interceptors } = core;
  const create = (config?: CreateAxiosDefaults): AxiosInstance =>
    axios.create(axios.mergeConfig(defaults as AxiosRequestConfig, config as AxiosRequestConfig));
  return Object.assign(instance, { defaults, interceptors, create });
}

function throwIfCancelled(config: InternalAxiosRequestConfig): void {
  config.cancelToken?.throwIfRequested();
  if (config.signal?.aborted) throw new CanceledError(undefined, config);
}

async function rejected(error: unknown): Promise<never> {
  throw error;
}
