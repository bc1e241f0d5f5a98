import { Logger } from '@nestjs/common';
import { z } from 'zod';
import { certificateFiles, readPem, type CertificatePaths } from '../../certificates/certificate-files.js';
import type { CertificateSource } from '../../certificates/certificate-source.js';
import type { TlsSettings } from '../../certificates/tls-settings.js';
import { integer, nonEmptyString, type OptionShape } from '../../configuration/validate-options.js';
import { errorMessage } from '../../errors/error-message.js';
import { DiscoveryError } from '../../errors/discovery-error.js';
import { systemClock } from '../../timing/clock.js';

/** The connections of HTTP clients to the instances of a service. */
export interface ConnectionOptions {
  /** Connections to one instance, at most; further requests wait for one of them, within their timeout. Default: 64. */
  maxConnections?: number;
  /** For instances that speak TLS (`secure`). Default: the authorities that Node trusts, and no client certificate. */
  tls?: ServiceTlsOptions;
}

/** Files are read again when they have changed: connections that follow use them, and earlier ones end with their requests. */
export interface ServiceTlsOptions {
  /** PEM file of the authorities that are trusted, in place of those that Node trusts. */
  caFile?: string;
  /** PEM file of the certificate that this app shows (mutual TLS). */
  certFile?: string;
  /** PEM file of its key. */
  keyFile?: string;
  /** Certificates from elsewhere, such as a vault, instead of the files. Default: none. */
  certificates?: CertificateSource;
  /** The expected name in the certificates of the instances. Default: their address. */
  serverName?: string;
  /** False accepts any certificate. Default: true. */
  verify?: boolean;
}

/** `ConnectionOptions`, complete. */
export interface ConnectionSettings {
  readonly maxConnections: number;
  readonly tls: TlsSettings | undefined;
}

/** More only queue at the peer, and undici searches its connections one by one. */
const DEFAULTS: ConnectionSettings = { maxConnections: 64, tls: undefined };

/** @throws DiscoveryError `RK_CONFIG_INVALID` for a file that could be read at the start, and cannot be any more */
export function connectionSettings({ maxConnections, tls }: ConnectionOptions): ConnectionSettings {
  if (maxConnections === undefined && tls === undefined) return DEFAULTS;
  return { maxConnections: maxConnections ?? DEFAULTS.maxConnections, tls: tls && tlsSettings(tls) };
}

/** By the options as text: services with the same ones share the result, and their connections. */
type Known = Map<string, TlsSettings>;
const known: Known = new Map();
const knownOfSources = new WeakMap<CertificateSource, Known>();

function tlsSettings({ certificates, ...options }: ServiceTlsOptions): TlsSettings {
  const all = certificates === undefined ? known : knownOf(certificates);
  const key = JSON.stringify(Object.entries(options).sort());
  const before = all.get(key);
  if (before) return before;
  const { serverName, verify = true, ...paths } = options;
  const settings = { certificates: certificates ?? filesOf(paths), serverName, verify };
  if (!verify) logger.warn(NOT_VERIFIED);
  all.set(key, settings);
  return settings;
}

function knownOf(source: CertificateSource): Known {
  let found = knownOfSources.get(source);
  if (!found) knownOfSources.set(source, (found = new Map<string, TlsSettings>()));
  return found;
}

const logger = new Logger('ServiceClients');
const NOT_VERIFIED =
  'clients.tls.verify is false: calls accept any certificate, so that anyone in between can read and change them. Set clients.tls.caFile instead';

function filesOf(paths: CertificatePaths): CertificateSource | undefined {
  try {
    return certificateFiles(paths, { clock: systemClock, warn: (message) => logger.warn(message) });
  } catch (error) {
    const files = Object.values(paths).join(', ');
    throw new DiscoveryError('RK_CONFIG_INVALID', `clients.tls: the files ${files} cannot be used`, {
      cause: error,
      hint: errorMessage(error),
    });
  }
}

function problemOf(path: string): string | undefined {
  try {
    readPem(path);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? 'it does not exist' : (code ?? 'it is no PEM file');
  }
}

const pemFile = nonEmptyString('must be the path of a PEM file').check((context) => {
  const problem = problemOf(context.value);
  if (problem !== undefined)
    context.issues.push({
      code: 'custom',
      input: context.value,
      message: `must be a readable PEM file, but ${problem}`,
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
        certificates: z
          .custom<CertificateSource>(
            (value) => typeof (value as Partial<CertificateSource> | null)?.current === 'function',
            { error: 'must be a source of certificates: an object with a method current()' },
          )
          .optional(),
        serverName: nonEmptyString("must be a name, such as 'inventory.service.consul'").optional(),
        verify: z.boolean({ error: 'must be true or false' }).optional(),
      } satisfies OptionShape<ServiceTlsOptions>,
      { error: "must be an object such as { caFile: '/etc/ssl/services.pem' }" },
    )
    .refine(({ certFile, keyFile }) => (certFile === undefined) === (keyFile === undefined), {
      error: 'a client certificate needs both certFile and keyFile',
    })
    .refine(
      ({ certificates, caFile, certFile }) =>
        certificates === undefined || (caFile ?? certFile) === undefined,
      { error: 'has both files and a source of certificates: use one of them' },
    )
    .optional(),
} satisfies OptionShape<ConnectionOptions>;
