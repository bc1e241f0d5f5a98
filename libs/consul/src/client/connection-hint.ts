import { aggregatedErrors, causeChain } from '@rookery/discovery/adapter';
import { isOnThisHost } from './agent-address.js';
import type { ResolvedAgent } from './agent-options.js';

/** What to change when no connection to an agent can be established, by the error of Node or OpenSSL. */
export function connectionHint(
  error: unknown,
  url: string,
  { address: { host }, tls }: Pick<ResolvedAgent, 'address' | 'tls'>,
): string {
  const texts = [...causeChain(error)].flatMap((each) => [each, ...aggregatedErrors(each)]).map(textOf);
  for (const [pattern, hint] of HINTS) if (texts.some((text) => pattern.test(text))) return hint;
  // An agent closes the connection only after the handshake: that is how TLS 1.3 refuses a client.
  const isClosed = texts.some((text) => /^(UND_ERR_SOCKET|ECONNRESET)/.test(text));
  if (isClosed && url.startsWith('https:') && tls.paths.certFile === undefined) return WANTS_CERTIFICATE;
  const question = `Is a Consul agent listening at ${url}? See agent.url or CONSUL_HTTP_ADDR`;
  const isRefused = texts.some((text) => text.startsWith('ECONNREFUSED'));
  if (!isOnThisHost(host) || !isRefused || process.env.NODE_ENV === 'production') return question;
  return `${question}. To start one for development: npx -p @rookery/embedded-consul embedded-consul`;
}

function textOf(error: unknown): string {
  const { code = '', message = '' } = error as { code?: string; message?: string };
  return `${code} ${message}`;
}

const WANTS_CERTIFICATE =
  'Does the agent want a client certificate? Set agent.tls.certFile and agent.tls.keyFile, or CONSUL_CLIENT_CERT and CONSUL_CLIENT_KEY';

const HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /wrong version number|packet length too long|EPROTO.*http_request/i,
    'The agent does not speak TLS at this port: use http:// in agent.url or CONSUL_HTTP_ADDR, or the port of ports.https',
  ],
  [
    /SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|CERT_UNTRUSTED/,
    "The agent's certificate is signed by an authority that is not trusted here: set agent.tls.caFile or CONSUL_CACERT",
  ],
  [
    /ERR_TLS_CERT_ALTNAME_INVALID/,
    "The agent's certificate is for another name: set agent.tls.serverName or CONSUL_TLS_SERVER_NAME, such as server.dc1.consul",
  ],
  [
    /CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/,
    "The agent's certificate is not valid now: renew it, or set the clock",
  ],
  [/certificate required|bad certificate|handshake failure/i, WANTS_CERTIFICATE],
];
