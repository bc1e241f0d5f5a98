import { accessSync, constants, readdirSync } from 'node:fs';
import { Logger } from '@nestjs/common';
import type { CertificateSource, Duration } from '@rookery/discovery';
import {
  certificateFiles,
  type CertificatePaths,
  durationSchema,
  errorMessage,
  integer,
  nonEmptyString,
  type OptionIssue,
  type OptionShape,
  readSetting,
  Secret,
  systemClock,
  type TlsSettings,
  toMilliseconds,
  validateOptions,
} from '@rookery/discovery/adapter';
import { z } from 'zod';
import { ADDRESS_HINT, parseAgentAddress, shownAddress, type AgentAddress } from './agent-address.js';
import { DEFAULT_CONNECTIONS, MIN_CONNECTIONS } from './connection-budget.js';
import { LoginTokenSource, type LoginOptions } from './login-token.js';
import {
  fixedToken,
  isTokenText,
  providedToken,
  tokenFile,
  type TokenProvider,
  type TokenSource,
} from './token-source.js';

/** How to reach the Consul agent. What is left out comes from the environment of the `consul` CLI, then the default. */
export interface AgentOptions {
  /**
   * `http://host:port`, `host:port`, `unix:///path`, or `https://gateway/path`; or several, best first. The app is registered
   * with the first one in any case; lookups go to the next while the first is unreachable.
   * Environment: `CONSUL_HTTP_ADDR`, `CONSUL_HTTP_SSL`. Default: `http://127.0.0.1:8500`.
   */
  url?: string | readonly string[];
  /** ACL token. Environment: `CONSUL_HTTP_TOKEN`. */
  token?: string;
  /** A file that contains the token; read again every 5 s, so that it can be rotated. Environment: `CONSUL_HTTP_TOKEN_FILE`. */
  tokenFile?: string;
  /** A function that returns the token; called again when Consul refuses it. */
  tokenProvider?: TokenProvider;
  /**
   * A token by an auth method of Consul: Kubernetes, or JWT. It is renewed before it expires and when Consul refuses it, and deleted when the
   * app is closed.
   */
  login?: LoginOptions;
  /** Default: the agent's own. */
  datacenter?: string;
  /** Consul Enterprise. Environment: `CONSUL_NAMESPACE`. */
  namespace?: string;
  /** Consul Enterprise. Environment: `CONSUL_PARTITION`. */
  partition?: string;
  tls?: AgentTlsOptions;
  /** Deadline of a request that does not block. Default: `'5s'`. */
  timeout?: Duration;
  /**
   * The connections of this process to an agent, which allows 200 for one host by default; at least 12, and 15 with `connect.native`. About half of them watch lists
   * of services; further services are polled. Default: 92.
   */
  maxConnections?: number;
  /**
   * The longest that a blocking query of this module waits, for a proxy that ends long requests. It costs more requests: without it a watch of a
   * service waits for 60 s, and those of the app's own registration for 75 or 150 s. Default: no limit.
   */
  maxWait?: Duration;
}

/** Files are read again when they have changed, for the connections that follow. */
export interface AgentTlsOptions {
  /** PEM file of the authority that signed the agent's certificate. Environment: `CONSUL_CACERT`. */
  caFile?: string;
  /** A directory of such files. Environment: `CONSUL_CAPATH`. */
  caPath?: string;
  /** PEM file of the client certificate. Environment: `CONSUL_CLIENT_CERT`. */
  certFile?: string;
  /** PEM file of its key. Environment: `CONSUL_CLIENT_KEY`. */
  keyFile?: string;
  /** The expected name in the agent's certificate. Environment: `CONSUL_TLS_SERVER_NAME`. */
  serverName?: string;
  /** False accepts any certificate. Environment: `CONSUL_HTTP_SSL_VERIFY`. Default: true. */
  verify?: boolean;
}

const file = (what: string): z.ZodType<string> => nonEmptyString(`must be the path of ${what}`);

const address = z
  .string({ error: ADDRESS_HINT })
  .refine((value) => parseAgentAddress(value, false) !== undefined, { error: ADDRESS_HINT });

export const agentOptionsSchema = z.strictObject({
  url: z
    .union([address, z.array(address).min(1, { error: 'must have at least one address' })], {
      error: ADDRESS_HINT,
    })
    .optional(),
  token: nonEmptyString('must be an ACL token')
    .refine((value) => /^[\x21-\x7e]+$/.test(value.trim()), { error: 'must be an ACL token, without spaces' })
    .optional(),
  tokenFile: file('a file that contains the ACL token').optional(),
  tokenProvider: z
    .custom<TokenProvider>((value) => typeof value === 'function', {
      error: 'must be a function that returns the ACL token',
    })
    .optional(),
  login: z
    .strictObject(
      {
        method: nonEmptyString("must be the name of an auth method, such as 'kubernetes'"),
        bearerTokenFile: file('a file that contains the token for the auth method').optional(),
        bearerToken: z
          .custom<TokenProvider>((value) => typeof value === 'function', {
            error: 'must be a function that returns the token for the auth method',
          })
          .optional(),
        meta: z
          .record(z.string(), z.string(), {
            error: "must be texts by name, such as { pod: 'shop/storefront-1' }",
          })
          .optional(),
      } satisfies OptionShape<LoginOptions>,
      { error: "must be an object such as { method: 'kubernetes' }" },
    )
    .refine(
      ({ bearerTokenFile, bearerToken }) => bearerTokenFile === undefined || bearerToken === undefined,
      {
        error: 'must have bearerTokenFile or bearerToken, not both',
      },
    )
    .optional(),
  datacenter: nonEmptyString("must be a datacenter's name, such as 'dc1'").optional(),
  namespace: nonEmptyString('must be the name of a namespace').optional(),
  partition: nonEmptyString('must be the name of a partition').optional(),
  tls: z
    .strictObject(
      {
        caFile: file('a PEM file').optional(),
        caPath: file('a directory of PEM files').optional(),
        certFile: file('a PEM file').optional(),
        keyFile: file('a PEM file').optional(),
        serverName: nonEmptyString("must be a name, such as 'server.dc1.consul'").optional(),
        verify: z.boolean({ error: 'must be true or false' }).optional(),
      } satisfies OptionShape<AgentTlsOptions>,
      { error: "must be an object such as { caFile: '/etc/consul/ca.pem' }" },
    )
    .optional(),
  timeout: durationSchema(1, 600_000).optional(),
  maxConnections: integer(MIN_CONNECTIONS, 10_000).optional(),
  maxWait: durationSchema(1_000, 600_000).optional(),
} satisfies OptionShape<AgentOptions>);

/** Everything a client needs, read and validated; secrets cannot be printed. */
export interface ResolvedAgent {
  readonly address: AgentAddress;
  /** Agents for failover, best first. */
  readonly others: readonly AgentAddress[];
  readonly maxConnections: number;
  /** Infinity: no limit. */
  readonly maxWaitMs: number;
  readonly token: TokenSource;
  readonly auth: Secret | undefined;
  readonly datacenter: string | undefined;
  readonly namespace: string | undefined;
  readonly partition: string | undefined;
  readonly tls: ResolvedTls;
  readonly timeoutMs: number;
}

export interface ResolvedTls extends TlsSettings {
  readonly paths: CertificatePaths;
}

export interface Resolution {
  /** Undefined when there are issues. */
  readonly agent: ResolvedAgent | undefined;
  readonly issues: readonly OptionIssue[];
}

/** Merges options and environment, reads the files they name, and returns every issue at once. */
export function resolveAgent(
  options: AgentOptions = {},
  environment: NodeJS.ProcessEnv = process.env,
): Resolution {
  const issues = validateOptions(agentOptionsSchema, options).map((issue) => ({
    ...issue,
    ...shownUrl(options, issue.field),
    field: `agent.${issue.field}`,
  }));
  if (issues.length > 0) return { agent: undefined, issues };

  const settings = new Settings(options, environment, issues);
  const reached = settings.address();
  const agent: ResolvedAgent = {
    ...reached,
    token: settings.token(),
    datacenter: options.datacenter,
    namespace: settings.find(options.namespace, 'CONSUL_NAMESPACE')?.value,
    partition: settings.find(options.partition, 'CONSUL_PARTITION')?.value,
    tls: settings.tls(reached.address),
    timeoutMs: toMilliseconds(options.timeout ?? '5s', 'agent.timeout'),
    maxConnections: options.maxConnections ?? DEFAULT_CONNECTIONS,
    maxWaitMs: options.maxWait === undefined ? Infinity : toMilliseconds(options.maxWait, 'agent.maxWait'),
  };
  return { agent: issues.length > 0 ? undefined : agent, issues };
}

/** An address that is wrong, without what is secret in it. */
function shownUrl({ url }: AgentOptions, field: string): Pick<OptionIssue, 'value'> {
  const [isUrl, index] = /^url(?:\.(\d+))?$/.exec(field) ?? [];
  if (isUrl === undefined) return {};
  return { value: shownAddress(index === undefined ? url : url?.[Number(index)]) };
}

/** The value of a setting, and the option or variable that it comes from. */
interface Setting {
  readonly value: string;
  readonly field: string;
}

/** Reads settings from the options or else from the environment, and collects issues. */
class Settings {
  constructor(
    private readonly options: AgentOptions,
    private readonly environment: NodeJS.ProcessEnv,
    private readonly issues: OptionIssue[],
  ) {}

  find(option: string | undefined, variable: string, field = ''): Setting | undefined {
    if (option !== undefined) return { value: option, field };
    const value = this.environment[variable];
    return value ? { value, field: variable } : undefined;
  }

  address(): Pick<ResolvedAgent, 'address' | 'others' | 'auth'> {
    const { url } = this.options;
    const [first, ...rest] = typeof url === 'string' ? [url] : (url ?? []);
    const setting = this.find(first, 'CONSUL_HTTP_ADDR', 'agent.url');
    const tls = this.flag('CONSUL_HTTP_SSL', false);
    const value = setting?.value ?? '127.0.0.1:8500';
    const address = parseAgentAddress(value, tls);
    if (!address)
      this.issues.push({
        field: setting?.field ?? 'agent.url',
        value: shownAddress(value),
        hint: ADDRESS_HINT,
      });
    const auth = this.environment.CONSUL_HTTP_AUTH;
    return {
      address: address ?? {
        origin: '',
        pathPrefix: '',
        host: undefined,
        socketPath: undefined,
        auth: undefined,
      },
      others: rest.flatMap((other) => parseAgentAddress(other, tls) ?? []),
      auth: address?.auth ?? (auth ? new Secret(auth) : undefined),
    };
  }

  token(): TokenSource {
    const warn = (message: string): void => new Logger('ConsulClient').warn(message);
    const { options, environment } = this;
    const sources = (['token', 'tokenFile', 'tokenProvider', 'login'] as const).filter(
      (key) => options[key] !== undefined,
    );
    if (sources.length > 1) {
      this.issues.push({ field: `agent.${sources.join(', agent.')}`, hint: 'use only one of them' });
    }
    if (options.login) return new LoginTokenSource(options.login, systemClock, warn);
    if (options.tokenProvider) return providedToken(options.tokenProvider, systemClock, warn);
    if (options.token) return fixedToken(options.token.trim());
    const path = this.find(options.tokenFile, 'CONSUL_HTTP_TOKEN_FILE', 'agent.tokenFile');
    if (!path) {
      const token = environment.CONSUL_HTTP_TOKEN?.trim();
      if (token && !isTokenText(token))
        this.issues.push({
          field: 'CONSUL_HTTP_TOKEN',
          value: '(not shown)',
          hint: 'a token, without spaces, line breaks and characters beyond ASCII',
        });
      return fixedToken(token);
    }
    this.read(path, 'a readable file that contains the token', () => accessSync(path.value, constants.R_OK));
    return tokenFile(path.value, systemClock, warn);
  }

  tls(address: AgentAddress): ResolvedTls {
    const tls = this.options.tls ?? {};
    const find = (
      option: 'caFile' | 'caPath' | 'certFile' | 'keyFile',
      variable: string,
    ): Setting | undefined => this.find(tls[option], variable, `agent.tls.${option}`);
    const files = [
      find('caFile', 'CONSUL_CACERT'),
      find('certFile', 'CONSUL_CLIENT_CERT'),
      find('keyFile', 'CONSUL_CLIENT_KEY'),
    ] as const;
    const before = this.issues.length;
    for (const path of files)
      if (path) this.read(path, 'a readable PEM file', () => accessSync(path.value, constants.R_OK));
    const caPath = find('caPath', 'CONSUL_CAPATH');
    if (caPath)
      this.read(caPath, 'a readable directory of PEM files', () => readdirSync(caPath.value).length);
    const [caFile, certFile, keyFile] = files.map((path) => path?.value);
    if ((certFile === undefined) !== (keyFile === undefined)) {
      this.issues.push({
        field: 'agent.tls',
        hint: 'a client certificate needs both certFile and keyFile',
      });
    }
    const verify = tls.verify ?? this.flag('CONSUL_HTTP_SSL_VERIFY', true);
    if (!verify && address.origin.startsWith('https:')) warnOfNoVerification(address.origin);
    const paths = { caFile, caPath: caPath?.value, certFile, keyFile };
    return {
      paths,
      certificates: this.issues.length > before ? undefined : this.certificates(paths),
      serverName: this.find(tls.serverName, 'CONSUL_TLS_SERVER_NAME')?.value,
      verify,
    };
  }

  private certificates(paths: CertificatePaths): CertificateSource | undefined {
    try {
      return agentCertificates(paths);
    } catch (error) {
      this.issues.push({ field: 'agent.tls', hint: errorMessage(error) });
      return undefined;
    }
  }

  private flag(variable: string, defaultValue: boolean): boolean {
    const value = this.environment[variable];
    if (value === undefined || value === '') return defaultValue;
    if (/^(1|t|true)$/i.test(value)) return true;
    if (/^(0|f|false)$/i.test(value)) return false;
    this.issues.push({ field: variable, value: JSON.stringify(value), hint: "must be 'true' or 'false'" });
    return defaultValue;
  }

  private read<T>(setting: Setting, expected: string, read: () => T): T | undefined {
    return readSetting(setting, expected, read, this.issues);
  }
}

/** Of a connection to the agent, also in a worker thread. */
export function agentCertificates(paths: CertificatePaths): CertificateSource | undefined {
  const logger = new Logger('ConsulClient');
  return certificateFiles(paths, { clock: systemClock, warn: (message) => logger.warn(message) });
}

const unverified = new Set<string>();

/** Once for each agent: several clients of an app have the same options. */
function warnOfNoVerification(origin: string): void {
  if (unverified.has(origin)) return;
  unverified.add(origin);
  new Logger('ConsulClient').warn(
    `agent.tls.verify is false: any server can answer as ${origin}, and gets the token. Set agent.tls.caFile or CONSUL_CACERT instead`,
  );
}
