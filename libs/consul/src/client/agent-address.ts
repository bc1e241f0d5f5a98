import { brief, decodedText, Secret } from '@rookery/discovery/adapter';

/** Where an agent listens. */
export interface AgentAddress {
  /** Scheme, host and port. */
  readonly origin: string;
  /** What a gateway expects before the paths of the API, such as `/consul`; mostly empty. */
  readonly pathPrefix: string;
  /** Undefined when the agent is reached over a Unix domain socket. */
  readonly host: string | undefined;
  readonly socketPath: string | undefined;
  /** `user:password` of the URL. */
  readonly auth: Secret | undefined;
}

export const ADDRESS_HINT =
  "must be an agent's address such as 'http://127.0.0.1:8500', '127.0.0.1:8500', 'https://gateway/consul' (without /v1) or 'unix:///run/consul.sock'";

const DEFAULT_PORT = '8500';

/** Parses an address as the `consul` CLI does; undefined when it is invalid. `tls`: the scheme where there is none. */
export function parseAgentAddress(text: string, tls: boolean): AgentAddress | undefined {
  if (text.startsWith('unix://')) {
    const socketPath = text.slice('unix://'.length);
    if (!socketPath.startsWith('/')) return undefined;
    return { origin: 'http://localhost', pathPrefix: '', host: undefined, socketPath, auth: undefined };
  }
  const prefix = /^([a-z]+):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (prefix !== undefined && prefix !== 'http' && prefix !== 'https') return undefined;
  const scheme = tls ? 'https' : (prefix ?? 'http');
  const rest = prefix === undefined ? text : text.slice(prefix.length + 3);
  if (!URL.canParse(`${scheme}://${rest}`)) return undefined;
  const url = new URL(`${scheme}://${rest}`);
  if (url.hostname === '' || url.search || url.hash || /\s/.test(text)) {
    return undefined;
  }
  const pathPrefix = url.pathname.replace(/\/+$/, '');
  // The version of the API is part of every request's path.
  if (pathPrefix !== '' && (prefix === undefined || pathPrefix.endsWith('/v1'))) return undefined;
  const bare = rest.replace(/^.*@/, '');
  const isPortGiven = /^[^/]*:\d+(\/|$)/.test(bare);
  // A gateway with a path is no agent, and listens where its scheme says.
  const defaultPort = pathPrefix === '' ? DEFAULT_PORT : portOfScheme(scheme);
  const port = url.port || (isPortGiven ? portOfScheme(scheme) : defaultPort);
  return {
    origin: `${scheme}://${url.hostname}:${port}`,
    pathPrefix,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    socketPath: undefined,
    auth: url.username ? new Secret(decodedText(`${url.username}:${url.password}`)) : undefined,
  };
}

/** For messages: a malformed address, too, may have a password before its last `@`, or a token in its query. */
export function shownAddress(given: unknown): string {
  if (typeof given !== 'string') return brief(given);
  return brief(given.replace(/^.*@/s, '(secret)@').replace(/[?#].*$/s, '?(secret)'));
}

/** `URL` drops the default port of a scheme. */
function portOfScheme(scheme: string): string {
  return scheme === 'https' ? '443' : '80';
}

/** Whether the agent runs on this host, as far as its address tells. */
export function isOnThisHost(host: string | undefined): boolean {
  return host !== undefined && /^(localhost|127\.|::1$)/.test(host);
}
