import { Secret } from './secret.js';

/** Where an agent listens. */
export interface AgentAddress {
  /** Scheme, host and port. */
  readonly origin: string;
  /** Undefined when the agent is reached over a socket file. */
  readonly host: string | undefined;
  readonly socketPath: string | undefined;
  /** `user:password` of the URL. */
  readonly auth: Secret | undefined;
}

export const ADDRESS_CURE =
  "must be an agent's address such as 'http://127.0.0.1:8500', '127.0.0.1:8500' or 'unix:///run/consul.sock'";

const DEFAULT_PORT = '8500';

/** Reads an address as the `consul` CLI does; undefined when it is none. `tls`: the scheme where none is written. */
export function parseAgentAddress(text: string, tls: boolean): AgentAddress | undefined {
  if (text.startsWith('unix://')) {
    const socketPath = text.slice('unix://'.length);
    if (!socketPath.startsWith('/')) return undefined;
    return { origin: 'http://localhost', host: undefined, socketPath, auth: undefined };
  }
  const written = /^([a-z]+):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (written !== undefined && written !== 'http' && written !== 'https') return undefined;
  const scheme = tls ? 'https' : (written ?? 'http');
  const rest = written === undefined ? text : text.slice(written.length + 3);
  if (!URL.canParse(`${scheme}://${rest}`)) return undefined;
  const url = new URL(`${scheme}://${rest}`);
  if (url.hostname === '' || url.pathname !== '/' || url.search || url.hash || /\s/.test(text)) {
    return undefined;
  }
  const bare = rest.replace(/^.*@/, '');
  const port = url.port || (/:\d+\/?$/.test(bare) ? portOfScheme(scheme) : DEFAULT_PORT);
  return {
    origin: `${scheme}://${url.hostname}:${port}`,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    socketPath: undefined,
    auth: url.username ? new Secret(decoded(`${url.username}:${url.password}`)) : undefined,
  };
}

/** A percent sign that stands for itself is no reason to refuse a password. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A URL hides a port that its scheme implies. */
function portOfScheme(scheme: string): string {
  return scheme === 'https' ? '443' : '80';
}
