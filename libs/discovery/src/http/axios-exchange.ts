import { Readable } from 'node:stream';
import axios, { AxiosError, AxiosHeaders, type AxiosResponse, type InternalAxiosRequestConfig } from 'axios';
import { markSent } from '../calling/not-sent.js';
import type { HttpSettings } from '../calling/options/http-options.js';
import type { OpenAttempt } from '../calling/running-attempt.js';
import { originOf } from '../registry/service-instance.js';
import type { HttpConnections } from './http-connections.js';
import type { CancelSignal } from '../timing/clock.js';
import { openStream } from './response/open-stream.js';
import { refusedRedirect } from './response/redirect.js';
import { contentLimit } from './response/response-limits.js';

export interface AxiosRequest {
  readonly config: InternalAxiosRequestConfig;
  readonly path: string;
  readonly settings: HttpSettings;
  readonly connections: HttpConnections;
  readonly departure: CancelSignal | undefined;
}

/** One attempt of a request over axios's own transport, for what undici cannot send, and options that only axios knows. */
export function sendOverAxios(request: AxiosRequest, attempt: OpenAttempt<AxiosResponse>): void {
  send(request, attempt).then(
    (response) => attempt.succeed(response),
    (error: unknown) => attempt.fail(error),
  );
}

async function send(
  { config, path, settings, connections, departure }: AxiosRequest,
  attempt: OpenAttempt<AxiosResponse>,
): Promise<AxiosResponse> {
  const { instance, signal } = attempt;
  const own = ownHeaders(attempt, config.headers);
  const isStream = config.responseType === 'stream';
  const limit = contentLimit(config, settings);
  let redirects = 0;
  let refused: AxiosError | undefined;
  const { beforeRedirect } = config;
  const headers = AxiosHeaders.concat(config.headers, own);
  try {
    const response = await axios.getAdapter('http')({
      ...config,
      headers,
      baseURL: '',
      url: originOf(instance) + path,
      signal,
      cancelToken: undefined,
      httpsAgent: (config.httpsAgent as unknown) ?? connections.agentFor(instance, settings.connection),
      // Infinity means no limit to us; -1, to axios. A stream gets a limit that ends it, too.
      maxContentLength: isStream || limit === Infinity ? -1 : limit,
      // A proxy from the environment is for external hosts, not for instances of a service.
      proxy: config.proxy ?? false,
      validateStatus: null,
      beforeRedirect: (...hop: Parameters<NonNullable<typeof beforeRedirect>>) => {
        redirects++;
        const target = new URL(String(hop[0].href)).origin;
        if (settings.redirects !== 'any' && target !== new URL(originOf(instance)).origin) {
          refused = refusedRedirect(target, config);
          throw refused;
        }
        // Our headers are for the instance only, not for the target of a redirect.
        const [options] = hop;
        const sent = Object.entries(options.headers as Record<string, string>);
        options.headers = Object.fromEntries(sent.filter(([name]) => !(name.toLowerCase() in own)));
        beforeRedirect?.(...hop);
      },
    });
    // The caller's request config, not the copy for this instance.
    const received = { ...response, config };
    if (response.data instanceof Readable) {
      response.data.once('close', attempt.hold());
      received.data = openStream(response.data, { config, settings, departure });
    }
    return received;
  } catch (error) {
    if (refused) throw markSent(refused);
    if (error instanceof AxiosError) {
      error.config = config;
      if (error.response) error.response.config = config;
    }
    throw redirects > 0 ? markSent(error) : error;
  } finally {
    takeOver(config, headers, own);
  }
}

/** What travels on from the incoming request gives way to what this one has. */
function ownHeaders(
  { headers, contextHeaders }: OpenAttempt<AxiosResponse>,
  given: AxiosHeaders,
): Readonly<Record<string, string>> {
  if (!contextHeaders) return headers;
  const isGiven = (name: string): boolean => contextHeaders.includes(name) && given.has(name);
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !isGiven(name)));
}

/** The transport completes the headers that it is given, which are a copy with those of the attempt. */
function takeOver(config: InternalAxiosRequestConfig, sent: AxiosHeaders, own: object): void {
  for (const [name, value] of Object.entries(sent.toJSON()))
    if (!(name.toLowerCase() in own)) config.headers.set(name, value);
  if (!sent.has('authorization')) config.headers.delete('authorization');
}
