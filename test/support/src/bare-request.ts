export interface BareAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** What `text` is as JSON; undefined when it is none. */
  readonly body: unknown;
}

const WITHIN_MS = 5_000;

/** A request without the client under test, to look at Consul from outside. */
export async function bareRequest(
  url: string,
  token: string | undefined,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<BareAnswer> {
  const response = await fetch(url + path, {
    method,
    headers: { ...(token ? { 'x-consul-token': token } : {}), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    signal: AbortSignal.timeout(WITHIN_MS),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: parse(text) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
