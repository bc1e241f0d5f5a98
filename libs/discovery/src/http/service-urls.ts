import type { HttpService } from '@nestjs/axios';
import axios, { AxiosError, type AxiosResponse, type InternalAxiosRequestConfig } from 'axios';
import type { ServiceCaller } from '../calling/service-caller.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import type { HttpConnections } from './http-connections.js';
import { ServiceSender } from './service-sender.js';

const PREFIX = /^service:/i;
const NO_OPTIONS = {};

/** Marks the adapter of an instance that has been taught already. */
const TAUGHT = Symbol.for('rookery:service-urls');

/**
 * Teaches a plain `HttpService` URLs with the scheme `service`: `service://inventory/books` goes to an instance of `inventory`, as with a
 * service client. All other requests go where they went before.
 */
export function teachServiceUrls(
  { axiosRef }: HttpService,
  caller: ServiceCaller,
  connections: HttpConnections,
): void {
  const { defaults } = axiosRef;
  const before = defaults.adapter;
  if (typeof before === 'function' && TAUGHT in before) return;
  const adapter = (config: InternalAxiosRequestConfig): Promise<AxiosResponse> => {
    const target = serviceTarget(config);
    if (!target) return axios.getAdapter(before)(config);
    const { service, url } = target;
    const sender = new ServiceSender(service, NO_OPTIONS, caller, connections);
    const { url: _, baseURL: __, ...rest } = config;
    return withConfig(
      sender.send({ ...rest, url }, false, () => undefined),
      config,
    );
  };
  defaults.adapter = Object.assign(adapter, { [TAUGHT]: true });
}

/**
 * The service and the path of a request for one; undefined: it is for another host.
 *
 * @throws AxiosError `ERR_INVALID_URL`
 */
function serviceTarget(config: InternalAxiosRequestConfig): { service: string; url: string } | undefined {
  const { url = '', baseURL = '', allowAbsoluteUrls = true } = config;
  if (!PREFIX.test(url) && !PREFIX.test(baseURL)) return undefined;
  const whole = axios.getUri({ url, baseURL, allowAbsoluteUrls });
  if (!PREFIX.test(whole) || !URL.canParse(whole)) return undefined;
  const { host, username, pathname, search } = new URL(whole);
  if (host === '' || host.includes(':') || username !== '') {
    const cause = new DiscoveryError('RK_INVALID_ARGUMENT', `"${whole}" is not the URL of a service`, {
      hint: 'Write service://<name of the service>/path, without a port or a user',
    });
    throw AxiosError.from(cause, AxiosError.ERR_INVALID_URL, config);
  }
  return { service: decodeURIComponent(host), url: (pathname === '' ? '/' : pathname) + search };
}

/** With the config that the user gave, which may be sent again: by an interceptor that retries. */
async function withConfig(
  sending: Promise<AxiosResponse>,
  config: InternalAxiosRequestConfig,
): Promise<AxiosResponse> {
  try {
    return Object.assign(await sending, { config });
  } catch (error) {
    if (error instanceof AxiosError) {
      error.config = config;
      if (error.response) error.response.config = config;
    }
    throw error;
  }
}
