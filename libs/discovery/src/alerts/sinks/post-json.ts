import { request } from 'undici';
import { DiscoveryError } from '../../errors/discovery-error.js';
import { untraced } from '../../telemetry/untraced.js';

const MAX_RESPONSE = 2_000;

/**
 * Posts JSON. The path of a webhook is a secret, and so are headers: an error names only the host.
 *
 * @returns the body of the response
 */
export async function postJson(
  url: URL,
  body: unknown,
  { headers = {}, signal }: { headers?: Readonly<Record<string, string>>; signal: AbortSignal },
): Promise<string> {
  const response = await untraced(false, () =>
    request(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      signal,
    }),
  );
  const text = (await response.body.text()).slice(0, MAX_RESPONSE);
  if (response.statusCode >= 200 && response.statusCode < 300) return text;
  throw new DiscoveryError('RK_CALL_FAILED', `${url.host} answered ${response.statusCode}: ${oneLine(text)}`);
}

export function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim().slice(0, 200) || 'nothing';
}

/** @throws TypeError for what is no URL of HTTP */
export function httpUrl(url: string): URL {
  const parsed = new URL(url);
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') throw new TypeError('not http');
  return parsed;
}
