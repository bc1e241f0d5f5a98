import { accessSync, constants } from 'node:fs';
import { Logger } from '@nestjs/common';
import type { CertificateSource, Duration } from '@rookery/discovery';
import {
  certificateFiles,
  type CertificatePaths,
  durationSchema,
  errorMessage,
  nonEmptyString,
  type OptionIssue,
  type OptionShape,
  readSetting,
  Secret,
  systemClock,
  toMilliseconds,
} from '@rookery/discovery/adapter';
import { z } from 'zod';

/** How to reach etcd. What is left out comes from the environment of `etcdctl`, then the default. */
export interface EtcdClientOptions {
  /**
   * The members: `http://host:port`, `https://host:port` or `host:port`. One of them is used at a time, and the next one when it
   * fails. Environment: `ETCDCTL_ENDPOINTS`, separated by commas. Default: `http://127.0.0.1:2379`.
   */
  endpoints?: string | readonly string[];
  /** Environment: `ETCDCTL_USER`, as `name` or `name:password`, and `ETCDCTL_PASSWORD`. Default: none. */
  auth?: EtcdAuthOptions;
  tls?: EtcdTlsOptions;
  /** How long one member may take for a request; then the next one is asked. Default: `'3s'`. */
  timeout?: Duration;
}

export interface EtcdAuthOptions {
  username: string;
  password: string;
}

/** Files are read again when they have changed: connections that follow use them, and earlier ones end with their requests and watches. */
export interface EtcdTlsOptions {
  /** PEM file of the authority that signed the members' certificates. Environment: `ETCDCTL_CACERT`. */
  caFile?: string;
  /** PEM file of the client certificate. Environment: `ETCDCTL_CERT`. */
  certFile?: string;
  /** PEM file of its key. Environment: `ETCDCTL_KEY`. */
  keyFile?: string;
  /** The expected name in the members' certificates. Default: the host of the endpoint. */
  serverName?: string;
}

const ENDPOINT_HINT =
  "must be a member's address such as 'http://127.0.0.1:2379', 'https://etcd-1:2379' or '127.0.0.1:2379', without a path";

const endpoint = z
  .string({ error: ENDPOINT_HINT })
  .refine((value) => parseEndpoint(value, false) !== undefined, { error: ENDPOINT_HINT });
const file = (what: string): z.ZodType<string> => nonEmptyString(`must be the path of ${what}`);

/** The schema of each field of `EtcdClientOptions`. */
export const etcdClientOptionsShape: OptionShape<EtcdClientOptions> = {
  endpoints: z
    .union([endpoint, z.array(endpoint).min(1, { error: 'must have at least one address' })], {
      error: ENDPOINT_HINT,
    })
    .optional(),
  auth: z
    .strictObject(
      {
        username: nonEmptyString('must be the name of a user of etcd'),
        password: nonEmptyString('must be the password of the user'),
      } satisfies OptionShape<EtcdAuthOptions>,
      { error: "must be an object such as { username: 'app', password: '…' }" },
    )
    .optional(),
  tls: z
    .strictObject(
      {
        caFile: file('a PEM file').optional(),
        certFile: file('a PEM file').optional(),
        keyFile: file('a PEM file').optional(),
        serverName: nonEmptyString("must be a name, such as 'etcd.internal'").optional(),
      } satisfies OptionShape<EtcdTlsOptions>,
      { error: "must be an object such as { caFile: '/etc/etcd/ca.pem' }" },
    )
    .optional(),
  timeout: durationSchema(100, 600_000).optional(),
};

export interface EtcdEndpoint {
  /** `host:port`, as gRPC takes it. */
  readonly target: string;
  /** Without brackets. */
  readonly host: string;
  readonly secure: boolean;
}

/** Everything a client needs, read and validated; secrets cannot be printed. */
export interface ResolvedEtcd {
  readonly endpoints: readonly EtcdEndpoint[];
  readonly auth: { readonly username: string; readonly password: Secret } | undefined;
  readonly tls: {
    /** Undefined: no file is named. */
    readonly certificates: CertificateSource | undefined;
    readonly serverName: string | undefined;
  };
  readonly timeoutMs: number;
}

/** Undefined: it is no address. `tls`: where it has no scheme. */
export function parseEndpoint(text: string, tls: boolean): EtcdEndpoint | undefined {
  const scheme = /^([a-z]+):\/\//.exec(text)?.[1];
  if (scheme !== undefined && scheme !== 'http' && scheme !== 'https') return undefined;
  const full = scheme === undefined ? `${tls ? 'https' : 'http'}://${text}` : text;
  if (!URL.canParse(full) || /\s/.test(text)) return undefined;
  const { hostname, pathname, search, username, password, protocol } = new URL(full);
  if (hostname === '' || pathname !== '/') return undefined;
  if ([search, username, password].some((part) => part !== '')) return undefined;
  // As it is written: URL leaves out the port of the scheme.
  const port = /:(\d+)\/?$/.exec(text)?.[1] ?? '2379';
  const host = hostname.replace(/^\[|\]$/g, '');
  return { target: `${hostname}:${port}`, host, secure: protocol === 'https:' };
}

/** Merges valid options and the environment, reads the files they name, and returns every issue at once. */
export function resolveEtcd(
  options: EtcdClientOptions,
  environment: NodeJS.ProcessEnv,
): { readonly etcd: ResolvedEtcd | undefined; readonly issues: readonly OptionIssue[] } {
  const issues: OptionIssue[] = [];
  const settings = new Settings(options, environment, issues);
  const tls = settings.tls();
  const etcd = {
    endpoints: settings.endpoints(tls.certificates !== undefined),
    auth: settings.auth(),
    tls,
    timeoutMs: toMilliseconds(options.timeout ?? '3s', 'timeout'),
  };
  return { etcd: issues.length > 0 ? undefined : etcd, issues };
}

/** An address may contain a password, by mistake. */
export function withoutSecret({ value, ...issue }: OptionIssue): OptionIssue {
  const isSecret = /^(auth|endpoints)\b/.test(issue.field);
  return { ...issue, ...(value === undefined || isSecret ? {} : { value }) };
}

/** Reads settings from the options or else from the environment, and collects issues. */
class Settings {
  constructor(
    private readonly options: EtcdClientOptions,
    private readonly environment: NodeJS.ProcessEnv,
    private readonly issues: OptionIssue[],
  ) {}

  endpoints(tls: boolean): readonly EtcdEndpoint[] {
    const { endpoints } = this.options;
    const fromEnvironment = this.environment.ETCDCTL_ENDPOINTS?.split(',').filter(
      (each) => each.trim() !== '',
    );
    const given = typeof endpoints === 'string' ? [endpoints] : (endpoints ?? fromEnvironment ?? []);
    const texts = given.length > 0 ? given : ['127.0.0.1:2379'];
    const parsed = texts.map((text) => parseEndpoint(text.trim(), tls));
    // The value is not shown, since it may contain a password.
    if (parsed.includes(undefined))
      this.issues.push({ field: 'ETCDCTL_ENDPOINTS', hint: `each ${ENDPOINT_HINT}` });
    return parsed.flatMap((each) => each ?? []);
  }

  auth(): ResolvedEtcd['auth'] {
    if (this.options.auth) {
      const { username, password } = this.options.auth;
      return { username, password: new Secret(password) };
    }
    const { ETCDCTL_USER: user, ETCDCTL_PASSWORD: password } = this.environment;
    if (!user) return undefined;
    const at = user.indexOf(':');
    const [username, own] = at < 0 ? [user] : [user.slice(0, at), user.slice(at + 1)];
    const auth = password === undefined ? { username, password: own } : { username: user, password };
    if (!auth.username || !auth.password) {
      this.issues.push({ field: 'ETCDCTL_USER', hint: 'must be name:password, or set ETCDCTL_PASSWORD' });
      return undefined;
    }
    return { username: auth.username, password: new Secret(auth.password) };
  }

  tls(): ResolvedEtcd['tls'] {
    const { caFile, certFile, keyFile, serverName } = this.options.tls ?? {};
    const before = this.issues.length;
    const paths = {
      caFile: this.pemFile(caFile, 'tls.caFile', 'ETCDCTL_CACERT'),
      certFile: this.pemFile(certFile, 'tls.certFile', 'ETCDCTL_CERT'),
      keyFile: this.pemFile(keyFile, 'tls.keyFile', 'ETCDCTL_KEY'),
    };
    if ((paths.certFile === undefined) !== (paths.keyFile === undefined))
      this.issues.push({ field: 'tls', hint: 'a client certificate needs both certFile and keyFile' });
    const isValid = this.issues.length === before;
    return { certificates: isValid ? this.certificates(paths) : undefined, serverName };
  }

  private pemFile(option: string | undefined, field: string, variable: string): string | undefined {
    const path = option ?? this.environment[variable];
    if (path === undefined || path === '') return undefined;
    const setting = { field: option === undefined ? variable : field, value: path };
    readSetting(setting, 'a readable PEM file', () => accessSync(path, constants.R_OK), this.issues);
    return path;
  }

  private certificates(paths: CertificatePaths): CertificateSource | undefined {
    const logger = new Logger('EtcdClient');
    try {
      return certificateFiles(paths, { clock: systemClock, warn: (message) => logger.warn(message) });
    } catch (error) {
      this.issues.push({ field: 'tls', hint: errorMessage(error) });
      return undefined;
    }
  }
}
