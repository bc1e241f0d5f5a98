import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  durationSchema,
  findMistakes,
  systemClock,
  text,
  toMilliseconds,
  wholeNumber,
  type Duration,
  type OptionMistake,
} from '@rookery/discovery';
import { z } from 'zod';
import { ADDRESS_CURE, parseAgentAddress, type AgentAddress } from './agent-address.js';
import { DEFAULT_CONNECTIONS, FEWEST_CONNECTIONS } from './connection-budget.js';
import { Secret } from './secret.js';
import {
  fixedToken,
  providedToken,
  tokenFile,
  type TokenProvider,
  type TokenSource,
} from './token-source.js';

/** How to reach the Consul agent. What is left out comes from the environment of the `consul` CLI, then the default. */
export interface AgentOptions {
  /**
   * `http://host:port`, `host:port` or `unix:///path`; or several, best first. The app is registered with the first one
   * in any case; what is looked up is asked of the next while the first is away.
   * Environment: `CONSUL_HTTP_ADDR`, `CONSUL_HTTP_SSL`. Default: `http://127.0.0.1:8500`.
   */
  url?: string | readonly string[];
  /** ACL token. Environment: `CONSUL_HTTP_TOKEN`. */
  token?: string;
  /** A file that holds the token; read again every 5 s, so it may be rotated. Environment: `CONSUL_HTTP_TOKEN_FILE`. */
  tokenFile?: string;
  /** Called for the token, and again when Consul refuses it. */
  tokenProvider?: TokenProvider;
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
   * How many connections this process may have to an agent, which allows 200 for one host by default. About half of them
   * are for lists of services; services above that are polled. Default: 92.
   */
  maxConnections?: number;
}

export interface AgentTlsOptions {
  /** PEM file of the authority that signed the agent's certificate. Environment: `CONSUL_CACERT`. */
  caFile?: string;
  /** A folder of such files. Environment: `CONSUL_CAPATH`. */
  caPath?: string;
  /** PEM file of our own certificate. Environment: `CONSUL_CLIENT_CERT`. */
  certFile?: string;
  /** PEM file of its key. Environment: `CONSUL_CLIENT_KEY`. */
  keyFile?: string;
  /** The name that the agent's certificate must carry. Environment: `CONSUL_TLS_SERVER_NAME`. */
  serverName?: string;
  /** False accepts any certificate. Environment: `CONSUL_HTTP_SSL_VERIFY`. Default: true. */
  verify?: boolean;
}

const file = (what: string): z.ZodType<string> => text(`must be the path of ${what}`);

const address = z
  .string({ error: ADDRESS_CURE })
  .refine((value) => parseAgentAddress(value, false) !== undefined, { error: ADDRESS_CURE });

export const agentOptionsSchema = z.strictObject({
  url: z
    .union([address, z.array(address).min(1, { error: 'must name at least one agent' })], {
      error: ADDRESS_CURE,
    })
    .optional(),
  token: text('must be the text of an ACL token')
    .refine((value) => /^[\x21-\x7e]+$/.test(value.trim()), { error: 'must be an ACL token, without spaces' })
    .optional(),
  tokenFile: file('a file that holds the ACL token').optional(),
  tokenProvider: z
    .custom<TokenProvider>((value) => typeof value === 'function', {
      error: 'must be a function that returns the ACL token',
    })
    .optional(),
  datacenter: text("must be a datacenter's name, such as 'dc1'").optional(),
  namespace: text('must be the name of a namespace').optional(),
  partition: text('must be the name of a partition').optional(),
  tls: z
    .strictObject(
      {
        caFile: file('a PEM file').optional(),
        caPath: file('a folder of PEM files').optional(),
        certFile: file('a PEM file').optional(),
        keyFile: file('a PEM file').optional(),
        serverName: text("must be a name, such as 'server.dc1.consul'").optional(),
        verify: z.boolean({ error: 'must be true or false' }).optional(),
      },
      { error: "must be an object such as { caFile: '/etc/consul/ca.pem' }" },
    )
    .optional(),
  timeout: durationSchema(1, 600_000).optional(),
  maxConnections: wholeNumber(FEWEST_CONNECTIONS, 10_000).optional(),
});

/** Everything a client needs, read and checked; secrets do not show. */
export interface ResolvedAgent {
  readonly address: AgentAddress;
  /** Agents to turn to while the first is away, best first. */
  readonly others: readonly AgentAddress[];
  readonly maxConnections: number;
  readonly token: TokenSource;
  readonly auth: Secret | undefined;
  readonly datacenter: string | undefined;
  readonly namespace: string | undefined;
  readonly partition: string | undefined;
  readonly tls: ResolvedTls;
  readonly timeoutMs: number;
}

export interface ResolvedTls {
  readonly ca: string[] | undefined;
  readonly cert: string | undefined;
  readonly key: Secret | undefined;
  readonly serverName: string | undefined;
  readonly verify: boolean;
}

export interface Resolution {
  /** Undefined when there are mistakes. */
  readonly agent: ResolvedAgent | undefined;
  readonly mistakes: readonly OptionMistake[];
}

/** Merges options and environment, reads the files they name, and reports every mistake at once. */
export function resolveAgent(
  options: AgentOptions = {},
  environment: NodeJS.ProcessEnv = process.env,
): Resolution {
  const mistakes = findMistakes(agentOptionsSchema, options).map(({ value, ...mistake }) => ({
    ...mistake,
    // An address may hold a password, however it is written wrong.
    ...(value === undefined || /^url\b/.test(mistake.field) ? {} : { value }),
    field: `agent.${mistake.field}`,
  }));
  if (mistakes.length > 0) return { agent: undefined, mistakes };

  const from = new Settings(options, environment, mistakes);
  const agent: ResolvedAgent = {
    ...from.address(),
    token: from.token(),
    datacenter: options.datacenter,
    namespace: from.text(options.namespace, 'CONSUL_NAMESPACE')?.value,
    partition: from.text(options.partition, 'CONSUL_PARTITION')?.value,
    tls: from.tls(),
    timeoutMs: toMilliseconds(options.timeout ?? '5s', 'agent.timeout'),
    maxConnections: options.maxConnections ?? DEFAULT_CONNECTIONS,
  };
  return { agent: mistakes.length > 0 ? undefined : agent, mistakes };
}

/** A setting and where it came from, for the message when it is wrong. */
interface Setting {
  readonly value: string;
  readonly field: string;
}

class Settings {
  constructor(
    private readonly options: AgentOptions,
    private readonly environment: NodeJS.ProcessEnv,
    private readonly mistakes: OptionMistake[],
  ) {}

  text(option: string | undefined, variable: string, field = ''): Setting | undefined {
    if (option !== undefined) return { value: option, field };
    const value = this.environment[variable];
    return value ? { value, field: variable } : undefined;
  }

  address(): Pick<ResolvedAgent, 'address' | 'others' | 'auth'> {
    const { url } = this.options;
    const [first, ...rest] = typeof url === 'string' ? [url] : (url ?? []);
    const setting = this.text(first, 'CONSUL_HTTP_ADDR', 'agent.url');
    const tls = this.flag('CONSUL_HTTP_SSL', false);
    const address = parseAgentAddress(setting?.value ?? '127.0.0.1:8500', tls);
    if (!address) {
      // The text may hold a password, so it is not shown.
      this.mistakes.push({ field: setting?.field ?? 'agent.url', cure: ADDRESS_CURE });
    }
    const given = this.environment.CONSUL_HTTP_AUTH;
    return {
      address: address ?? { origin: '', host: undefined, socketPath: undefined, auth: undefined },
      others: rest.flatMap((text) => parseAgentAddress(text, tls) ?? []),
      auth: address?.auth ?? (given ? new Secret(given) : undefined),
    };
  }

  token(): TokenSource {
    const { options, environment } = this;
    const given = (['token', 'tokenFile', 'tokenProvider'] as const).filter(
      (key) => options[key] !== undefined,
    );
    if (given.length > 1) {
      this.mistakes.push({ field: `agent.${given.join(', agent.')}`, cure: 'give one of them only' });
    }
    if (options.tokenProvider) return providedToken(options.tokenProvider, systemClock);
    if (options.token) return fixedToken(options.token.trim());
    const path = this.text(options.tokenFile, 'CONSUL_HTTP_TOKEN_FILE', 'agent.tokenFile');
    if (!path) return fixedToken(environment.CONSUL_HTTP_TOKEN?.trim());
    this.check(path, 'a readable file that holds the token', () => accessSync(path.value, constants.R_OK));
    return tokenFile(path.value, systemClock);
  }

  tls(): ResolvedTls {
    const tls = this.options.tls ?? {};
    const read = (option: string | undefined, variable: string, field: string): string | undefined => {
      const path = this.text(option, variable, `agent.tls.${field}`);
      return path && this.check(path, 'a readable PEM file', () => readFileSync(path.value, 'utf8'));
    };
    const caFile = read(tls.caFile, 'CONSUL_CACERT', 'caFile');
    const caPath = this.text(tls.caPath, 'CONSUL_CAPATH', 'agent.tls.caPath');
    const folder =
      caPath &&
      this.check(caPath, 'a readable folder of PEM files', () =>
        readdirSync(caPath.value).map((name) => readFileSync(join(caPath.value, name), 'utf8')),
      );
    const cert = read(tls.certFile, 'CONSUL_CLIENT_CERT', 'certFile');
    const key = read(tls.keyFile, 'CONSUL_CLIENT_KEY', 'keyFile');
    if ((cert === undefined) !== (key === undefined)) {
      this.mistakes.push({
        field: 'agent.tls',
        cure: 'a client certificate needs both certFile and keyFile',
      });
    }
    const ca = [...(caFile === undefined ? [] : [caFile]), ...(folder ?? [])];
    return {
      ca: ca.length > 0 ? ca : undefined,
      cert,
      key: key === undefined ? undefined : new Secret(key),
      serverName: this.text(tls.serverName, 'CONSUL_TLS_SERVER_NAME')?.value,
      verify: tls.verify ?? this.flag('CONSUL_HTTP_SSL_VERIFY', true),
    };
  }

  private flag(variable: string, otherwise: boolean): boolean {
    const value = this.environment[variable];
    if (value === undefined || value === '') return otherwise;
    if (/^(1|t|true)$/i.test(value)) return true;
    if (/^(0|f|false)$/i.test(value)) return false;
    this.mistakes.push({ field: variable, value: JSON.stringify(value), cure: "must be 'true' or 'false'" });
    return otherwise;
  }

  private check<T>({ value, field }: Setting, wanted: string, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const why = code === 'ENOENT' ? 'it does not exist' : (code ?? 'it cannot be read');
      this.mistakes.push({ field, value: JSON.stringify(value), cure: `must be ${wanted}, but ${why}` });
      return undefined;
    }
  }
}
