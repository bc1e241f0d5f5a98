import { integer, type OptionIssue, type OptionShape } from '@rookery/discovery/adapter';
import type { ServiceOptions } from '@rookery/discovery';
import { z } from 'zod';
import { DEFAULT_CONNECTIONS, MIN_CONNECTIONS_OF_NATIVE } from '../client/connection-budget.js';

/** Mutual TLS with certificates of Consul Connect, and without a sidecar. */
export interface ConnectOptions {
  /**
   * Registers the service as Connect-native: its server takes calls only from services that the intentions of Consul allow, and its clients call others that
   * are Connect-native with its certificate. Default: false.
   */
  native?: boolean;
  /**
   * Where the agent, which has no certificate of a service, checks the health of this app: `port`, a plain HTTP server on a port of its own that has the health
   * endpoints only; `path`, the app's own server, which then accepts connections without a certificate, for the health endpoints only. Default: `port`.
   */
  checks?: 'port' | 'path';
  /** The port of that server. Default: 0, one that is free. */
  checkPort?: number;
}

/** `ConnectOptions` with their defaults. */
export interface ConnectSettings {
  /** Of the certificate. */
  readonly service: string;
  readonly checks: 'port' | 'path';
  readonly checkPort: number;
}

export const connectOptionsSchema = z.strictObject(
  {
    native: z.boolean({ error: 'must be true or false' }).optional(),
    checks: z.enum(['port', 'path'], { error: "must be 'port' or 'path'" }).optional(),
    checkPort: integer(0, 65_535).optional(),
  } satisfies OptionShape<ConnectOptions>,
  { error: 'must be an object such as { native: true }' },
);

/** What they are decided by, of the options of the module. */
interface OptionsOfApp {
  readonly agent?: { readonly maxConnections?: number };
  readonly connect?: ConnectOptions;
  readonly service?: ServiceOptions | readonly ServiceOptions[];
}

/** What the schema cannot see: an app has one certificate, which is that of its service. */
export function connectIssues({ agent, connect, service }: OptionsOfApp): OptionIssue[] {
  if (connect?.native !== true) return [];
  const names = namesOf(service);
  const issues: OptionIssue[] = [];
  if (names.length !== 1) {
    const hint =
      names.length === 0
        ? 'needs service.name: a certificate of Consul Connect is that of a service'
        : `is for one service, and this app registers ${names.join(', ')}: a server has one certificate`;
    issues.push({ field: 'connect.native', value: 'true', hint });
  }
  const { maxConnections = DEFAULT_CONNECTIONS } = agent ?? {};
  if (maxConnections < MIN_CONNECTIONS_OF_NATIVE) {
    const hint = `must be at least ${MIN_CONNECTIONS_OF_NATIVE} with connect.native, which watches its certificate`;
    issues.push({ field: 'agent.maxConnections', value: String(maxConnections), hint });
  }
  return issues;
}

/** @returns undefined: the app is no part of the mesh */
export function connectSettings({ connect, service }: OptionsOfApp): ConnectSettings | undefined {
  const { native, checks = 'port', checkPort = 0 } = connect ?? {};
  const [name] = namesOf(service);
  return native === true && name !== undefined ? { service: name, checks, checkPort } : undefined;
}

function namesOf(service: OptionsOfApp['service']): readonly string[] {
  const services = [service ?? []].flat() as readonly ServiceOptions[];
  return [...new Set(services.map(({ name }) => name))];
}
