import { withoutCredentials } from '../configuration/without-credentials.js';
import type { HttpService } from '@nestjs/axios';
import axios, {
  AxiosError,
  type AxiosInstance,
  type AxiosResponse,
  type InternalAxiosRequestConfig,
} from 'axios';
import type { ServiceCaller } from '../calling/service-caller.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import type { HttpConnections } from './http-connections.js';
import { ServiceSender } from './service-sender.js';

const PREFIX = /^service:/i;
const NO_OPTIONS = {};

type Adapter = AxiosInstance['defaults']['adapter'];

/** An adapter that knows the scheme, and what was there before. */
interface ServiceUrlAdapter {
  (config: InternalAxiosRequestConfig): Promise<AxiosResponse>;
  readonly [BEFORE]: Adapter;
  isClosed: boolean;
}

const BEFORE = Symbol.for('rookery:service-urls');

/**
 * Teaches a plain `HttpService` URLs with the scheme `service`: `service://inventory/books` goes to an instance of `inventory`, as with a
 * service client. All other requests go where they went before. `HttpModule` without options has the one axios of the process, which all
 * of its apps share: then the last one that started answers for them.
 *
 * @returns undoes it
 */
export function teachServiceUrls(
  { axiosRef }: HttpService,
  caller: ServiceCaller,
  connections: HttpConnections,
): () => void {
  const { defaults } = axiosRef;
  const before = defaults.adapter;
  const other = originalOf(before);
  const send = (config: InternalAxiosRequestConfig): Promise<AxiosResponse> => {
    const target = serviceTarget(config);
    if (!target) return axios.getAdapter(other)(config);
    const { service, url } = target;
    const sender = new ServiceSender(service, NO_OPTIONS, caller, connections);
    const { url: _, baseURL: __, ...rest } = config;
    return withConfig(
      sender.send({ ...rest, url }, false, () => undefined),
      config,
    );
  };
  const adapter: ServiceUrlAdapter = Object.assign(send, { [BEFORE]: before, isClosed: false });
  defaults.adapter = adapter;
  return () => {
    adapter.isClosed = true;
    // Another app, or the user, may have set another one since.
    if (defaults.adapter === adapter) defaults.adapter = openBefore(adapter);
  };
}

/** What there was before any app. */
function originalOf(adapter: Adapter): Adapter {
  return isServiceUrlAdapter(adapter) ? originalOf(adapter[BEFORE]) : adapter;
}

/** That of an app that still runs, or what there was before any. */
function openBefore(adapter: ServiceUrlAdapter): Adapter {
  const before = adapter[BEFORE];
  return isServiceUrlAdapter(before) && before.isClosed ? openBefore(before) : before;
}

function isServiceUrlAdapter(adapter: unknown): adapter is ServiceUrlAdapter {
  return typeof adapter === 'function' && BEFORE in adapter;
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
  const service = decoded(host);
  if (service === '' || host.includes(':') || username !== '') {
    const cause = new DiscoveryError(
      'RK_INVALID_ARGUMENT',
      `"${withoutCredentials(whole, '(not shown)')}" is not the URL of a service`,
      {
        hint: 'Write service://<name of the service>/path, without a port or a user',
      },
    );
    throw AxiosError.from(cause, AxiosError.ERR_INVALID_URL, config);
  }
  return { service, url: (pathname === '' ? '/' : pathname) + search };
}

/** Empty where it is malformed. */
function decoded(host: string): string {
  try {
    return decodeURIComponent(host);
  } catch {
    return '';
  }
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
