import { Readable } from 'node:stream';
import axios, { AxiosError, AxiosHeaders, type InternalAxiosRequestConfig } from 'axios';
import { markSent } from '../calling/not-sent.js';
import { originOf } from '../registry/service-instance.js';
import { destroyWhenIdle } from './idle-stream.js';
import { contentLimit, idleError } from './response-limits.js';
import type { Transport } from './transport-request.js';

/** Options that only axios's own transport supports; a request with one of them uses it. */
const AXIOS_ONLY = [
  'httpAgent',
  'httpsAgent',
  'socketPath',
  'transport',
  'proxy',
  'beforeRedirect',
  'onUploadProgress',
  'onDownloadProgress',
  'maxRate',
  'lookup',
  'insecureHTTPParser',
] as const;
/**
 * Our transport requests no compression: a request that does needs axios's decoders. The others are hop-by-hop headers, which a
 * gateway may hand on with all the rest; undici refuses them (undici#1746).
 */
const AXIOS_ONLY_HEADERS = [
  'accept-encoding',
  'connection',
  'expect',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
];
const RESPONSE_TYPES: ReadonlySet<string | undefined> = new Set([
  undefined,
  'json',
  'text',
  'arraybuffer',
  'stream',
]);

export function needsAxiosTransport(config: InternalAxiosRequestConfig): boolean {
  return (
    AXIOS_ONLY.some((option) => config[option as keyof InternalAxiosRequestConfig]) ||
    !RESPONSE_TYPES.has(config.responseType) ||
    !isPlainBody(config.data) ||
    AXIOS_ONLY_HEADERS.some((name) => config.headers.has(name))
  );
}

function isPlainBody(data: unknown): boolean {
  return (
    data === undefined ||
    data === null ||
    typeof data === 'string' ||
    ArrayBuffer.isView(data) ||
    data instanceof ArrayBuffer ||
    data instanceof Readable
  );
}

export const sendOverAxios: Transport = async ({
  config,
  instance,
  path,
  signal,
  settings,
  headers: own,
}) => {
  const send = axios.getAdapter('http');
  let redirects = 0;
  const { beforeRedirect } = config;
  try {
    const response = await send({
      ...config,
      headers: AxiosHeaders.concat(config.headers, own),
      baseURL: '',
      url: originOf(instance) + path,
      params: undefined,
      signal,
      // Infinity means no limit to us; -1, to axios.
      maxContentLength: finite(contentLimit(config, settings)) ?? -1,
      // A proxy from the environment is for external hosts, not for instances of a service.
      proxy: config.proxy ?? false,
      validateStatus: null,
      beforeRedirect: (...hop: Parameters<NonNullable<typeof beforeRedirect>>) => {
        redirects++;
        // Our headers are for the instance only, not for the target of a redirect.
        const [options] = hop;
        const sent = Object.entries(options.headers as Record<string, string>);
        options.headers = Object.fromEntries(sent.filter(([name]) => !(name.toLowerCase() in own)));
        beforeRedirect?.(...hop);
      },
    });
    if (response.data instanceof Readable)
      destroyWhenIdle(response.data, settings.streamIdleMs, () => idleError(settings.streamIdleMs, config));
    // The caller's request config, not the copy for this instance.
    return { ...response, config };
  } catch (error) {
    if (error instanceof AxiosError) error.config = config;
    throw redirects > 0 ? markSent(error) : error;
  }
};

function finite(limit: number): number | undefined {
  return Number.isFinite(limit) ? limit : undefined;
}
