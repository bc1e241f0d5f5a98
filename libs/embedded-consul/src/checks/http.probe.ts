import { request as httpRequest, STATUS_CODES, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { critical, dialReason, type Probe, type ProbeResult } from './probe.js';

export interface HttpProbeOptions {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string[]>>;
  readonly body: string;
  readonly tlsSkipVerify: boolean;
  readonly outputMaxSize: number;
}

const MOST_REDIRECTS = 10;

/** 2xx passes, 429 warns, everything else is critical; redirects are followed, and every probe uses a new connection. */
export function httpProbe(options: HttpProbeOptions): Probe {
  return async (signal) => {
    // Go takes an IPv4 address in brackets too.
    const url = options.url.replace(/^(https?:\/\/)\[([\d.]+)\]/i, '$1$2');
    if (!URL.canParse(url)) return critical(`parse ${JSON.stringify(options.url)}: missing protocol scheme`);
    try {
      return await look(options, new URL(url), signal, MOST_REDIRECTS);
    } catch (error) {
      const verb = `${(options.method || 'GET').charAt(0)}${(options.method || 'GET').slice(1).toLowerCase()}`;
      const reason = signal.aborted
        ? 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        : dialReason(error, new URL(url).host);
      return critical(`${verb} ${JSON.stringify(options.url)}: ${reason}`);
    }
  };
}

async function look(
  options: HttpProbeOptions,
  url: URL,
  signal: AbortSignal,
  redirects: number,
): Promise<ProbeResult> {
  const response = await send(options, url, signal);
  const code = response.statusCode ?? 0;
  const { location } = response.headers;
  if ([301, 302, 303, 307, 308].includes(code) && location && redirects > 0) {
    response.resume();
    return look(options, new URL(location, url), signal, redirects - 1);
  }
  // Of a long answer the end is kept, in bytes.
  let body = Buffer.alloc(0);
  for await (const chunk of response as AsyncIterable<Buffer>) {
    body = Buffer.concat([body, chunk]).subarray(-options.outputMaxSize);
  }
  const status = code >= 200 && code < 300 ? 'passing' : code === 429 ? 'warning' : 'critical';
  const output = `HTTP ${options.method || 'GET'} ${options.url}: ${code} ${STATUS_CODES[code] ?? ''} Output: ${body.toString()}`;
  return { status, output };
}

function send(options: HttpProbeOptions, url: URL, signal: AbortSignal): Promise<IncomingMessage> {
  const headers: Record<string, string | string[]> = {
    'User-Agent': 'Consul Health Check',
    Accept: 'text/plain, text/*, */*',
    ...Object.fromEntries(
      // Node takes a list for no header of which there can be but one, such as Host.
      Object.entries(options.headers).map(([name, values]) => [
        name,
        values.length === 1 ? (values[0] ?? '') : values,
      ]),
    ),
    Connection: 'close',
  };
  const how: RequestOptions & { rejectUnauthorized?: boolean } = {
    method: options.method || 'GET',
    headers,
    signal,
    agent: false,
    rejectUnauthorized: !options.tlsSkipVerify,
  };
  return new Promise((resolve, reject) => {
    const outgoing = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, how, resolve);
    outgoing.once('error', reject);
    outgoing.end(options.body);
  });
}
