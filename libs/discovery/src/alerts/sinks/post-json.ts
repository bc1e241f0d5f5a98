import { request } from 'undici';
import { decodedText } from '../../configuration/decoded-text.js';
import { DiscoveryError } from '../../errors/discovery-error.js';
import { AlertRefused } from '../alert-sink.js';
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
      headers: { 'content-type': 'application/json', ...basicAuthorization(url), ...headers },
      body: JSON.stringify(body),
      signal,
    }),
  );
  const { statusCode } = response;
  const text = withoutSecrets((await response.body.text()).slice(0, MAX_RESPONSE), url, headers);
  if (statusCode >= 200 && statusCode < 300) return text;
  const message = `${url.host} answered ${statusCode}: ${oneLine(text)}`;
  // What it would answer to the same again; unlike 408, 425 and 429.
  if (statusCode >= 400 && statusCode < 500 && ![401, 403, 404, 408, 425, 429].includes(statusCode))
    throw new AlertRefused(message);
  throw new DiscoveryError('RK_CALL_FAILED', message);
}

/** Of a URL with a user and a password, which undici leaves out. */
function basicAuthorization({ username, password }: URL): { authorization?: string } {
  if (username === '' && password === '') return {};
  const pair = `${decodedText(username)}:${decodedText(password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** A server may repeat what it was sent: `Cannot POST /hooks/…`. */
function withoutSecrets(text: string, url: URL, headers: Readonly<Record<string, string>>): string {
  const secrets = [
    url.password,
    url.search,
    url.pathname,
    ...url.searchParams.values(),
    ...Object.values(headers),
  ];
  return secrets
    .flatMap((secret) => [secret, decodedText(secret)])
    .filter((secret) => secret.length > 3)
    .reduce((rest, secret) => rest.replaceAll(secret, '…'), text);
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
