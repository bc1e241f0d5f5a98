import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { integer, nonEmptyString, type OptionShape } from '../../configuration/validate-options.js';
import { DiscoveryError } from '../../errors/discovery-error.js';

/** The connections of HTTP clients to the instances of a service. */
export interface ConnectionOptions {
  /** Connections to one instance, at most; further requests wait for one of them, within their timeout. Default: 64. */
  maxConnections?: number;
  /** For instances that speak TLS (`secure`). Default: the authorities that Node trusts, and no client certificate. */
  tls?: ServiceTlsOptions;
}

export interface ServiceTlsOptions {
  /** PEM file of the authorities that are trusted, in place of those that Node trusts. */
  caFile?: string;
  /** PEM file of the certificate that this app shows (mutual TLS). */
  certFile?: string;
  /** PEM file of its key. */
  keyFile?: string;
  /** The expected name in the certificates of the instances. Default: their address. */
  serverName?: string;
  /** False accepts any certificate. Default: true. */
  verify?: boolean;
}

/** `ConnectionOptions`, complete, with the content of the files. */
export interface ConnectionSettings {
  readonly maxConnections: number;
  readonly tls: TlsSettings | undefined;
}

/** In the terms of Node's `tls.connect`. */
export interface TlsSettings {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  readonly rejectUnauthorized: boolean;
}

/** More only queue at the peer, and undici searches its connections one by one. */
const DEFAULTS: ConnectionSettings = { maxConnections: 64, tls: undefined };

/** @throws DiscoveryError `RK_CONFIG_INVALID` for a file that could be read at the start, and cannot be any more */
export function connectionSettings({ maxConnections, tls }: ConnectionOptions): ConnectionSettings {
  if (maxConnections === undefined && tls === undefined) return DEFAULTS;
  return { maxConnections: maxConnections ?? DEFAULTS.maxConnections, tls: tls && tlsSettings(tls) };
}

/** By the options as text: services with the same ones share the result, and their connections. */
const known = new Map<string, TlsSettings>();

function tlsSettings(options: ServiceTlsOptions): TlsSettings {
  const key = JSON.stringify(Object.entries(options).sort());
  const before = known.get(key);
  if (before) return before;
  const { serverName, verify = true } = options;
  const settings: { -readonly [K in keyof TlsSettings]: TlsSettings[K] } = { rejectUnauthorized: verify };
  for (const [name, option] of FILES) {
    const path = options[option];
    if (path === undefined) continue;
    const content = readPem(path);
    if (content instanceof Error)
      throw new DiscoveryError('RK_CONFIG_INVALID', `clients.tls.${option} = ${JSON.stringify(path)}`, {
        cause: content,
      });
    settings[name] = content;
  }
  if (serverName !== undefined) settings.servername = serverName;
  known.set(key, settings);
  return settings;
}

const FILES = [
  ['ca', 'caFile'],
  ['cert', 'certFile'],
  ['key', 'keyFile'],
] as const;

function readPem(path: string): string | Error {
  try {
    const content = readFileSync(path, 'utf8');
    return content.includes('-----BEGIN') ? content : new Error('it is no PEM file');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return new Error(code === 'ENOENT' ? 'it does not exist' : (code ?? 'it cannot be read'));
  }
}

const pemFile = nonEmptyString('must be the path of a PEM file').check((context) => {
  const content = readPem(context.value);
  if (content instanceof Error)
    context.issues.push({
      code: 'custom',
      input: context.value,
      message: `must be a readable PEM file, but ${content.message}`,
    });
});

/** One entry for each key of `ConnectionOptions`. */
export const connectionShape = {
  maxConnections: integer(1, 10_000).optional(),
  tls: z
    .strictObject(
      {
        caFile: pemFile.optional(),
        certFile: pemFile.optional(),
        keyFile: pemFile.optional(),
        serverName: nonEmptyString("must be a name, such as 'inventory.service.consul'").optional(),
        verify: z.boolean({ error: 'must be true or false' }).optional(),
      } satisfies OptionShape<ServiceTlsOptions>,
      { error: "must be an object such as { caFile: '/etc/ssl/services.pem' }" },
    )
    .refine(({ certFile, keyFile }) => (certFile === undefined) === (keyFile === undefined), {
      error: 'a client certificate needs both certFile and keyFile',
    })
    .optional(),
} satisfies OptionShape<ConnectionOptions>;
