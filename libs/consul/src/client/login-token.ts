import { readFile } from 'node:fs/promises';
import { DiscoveryError } from '@rookery/discovery';
import { errorMessage, Secret, type Clock } from '@rookery/discovery/adapter';
import type { AclLogin } from './api/types.js';
import {
  cachedToken,
  type LoadedToken,
  type LoginCalls,
  type TokenProvider,
  type TokenSource,
} from './token-source.js';

/** A token by an auth method of Consul, such as of Kubernetes or JWT. */
export interface LoginOptions {
  /** The name of the auth method. */
  method: string;
  /**
   * A file with what the auth method verifies; read at each login. Default:
   * `/var/run/secrets/kubernetes.io/serviceaccount/token`.
   */
  bearerTokenFile?: string;
  /** A function that returns it, instead of a file; called at each login. */
  bearerToken?: TokenProvider;
  /** Shown by Consul with the token, such as `{ pod: 'shop/storefront-7c9f' }`. Default: none. */
  meta?: Record<string, string>;
}

const KUBERNETES_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/** Logs in before the first request, and again before the token expires or when Consul refuses it; logs out at the end. */
export class LoginTokenSource implements TokenSource {
  readonly #options: LoginOptions;
  readonly #warn: (message: string) => void;
  readonly #clients = new Set<LoginCalls>();
  readonly #cached: TokenSource;
  /** Of the last login. */
  #secret: Secret | undefined;

  constructor(options: LoginOptions, clock: Clock, warn: (message: string) => void) {
    this.#options = options;
    this.#warn = warn;
    this.#cached = cachedToken({
      load: () => this.#login(),
      name: this.#name,
      failure: 'failed',
      clock,
      freshForMs: Infinity,
      warn,
    });
  }

  get version(): number | undefined {
    return this.#cached.version;
  }

  get previous(): Secret | undefined {
    return this.#cached.previous;
  }

  current(): Promise<Secret | undefined> {
    return this.#cached.current();
  }

  /** Another login would give the same rights, with another token. */
  refused(used: Secret | undefined, isUnknown: boolean): Promise<boolean> {
    return isUnknown ? this.#cached.refused(used, isUnknown) : Promise.resolve(false);
  }

  connect(client: LoginCalls): () => Promise<void> {
    this.#clients.add(client);
    return async () => {
      this.#clients.delete(client);
      if (this.#clients.size === 0) await this.#logout(client);
    };
  }

  get #name(): string {
    return `the login by the auth method "${this.#options.method}"`;
  }

  async #login(): Promise<LoadedToken> {
    const { method, bearerToken, bearerTokenFile = KUBERNETES_FILE, meta } = this.#options;
    const [client] = this.#clients;
    if (!client) throw new DiscoveryError('RK_REGISTRY_UNREACHABLE', 'the Consul client is closed');
    const read = bearerToken ?? (() => readFile(bearerTokenFile, 'utf8'));
    const token: unknown = await read();
    if (typeof token !== 'string') {
      const hint = 'It has to return what the auth method verifies';
      throw new DiscoveryError('RK_CONFIG_INVALID', 'agent.login.bearerToken returned no text', { hint });
    }
    const login: AclLogin = { method, bearerToken: token.trim(), meta };
    const { secret, validForMs } = await client.login(login);
    this.#secret = new Secret(secret);
    // They were closed meanwhile.
    if (this.#clients.size === 0) await this.#logout(client);
    return { text: secret, validForMs };
  }

  async #logout(client: LoginCalls): Promise<void> {
    const secret = this.#secret;
    this.#secret = undefined;
    if (!secret) return;
    await client.logout(secret.reveal()).catch((error: unknown) => {
      this.#warn(`${this.#name}: its token stays valid until it expires: ${errorMessage(error)}`);
    });
  }
}
