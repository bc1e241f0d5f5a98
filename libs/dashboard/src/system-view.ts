import type { ServiceInstance } from '@rookery/discovery';
import {
  eachConcurrently,
  errorMessage,
  hostAndPort,
  READINESS_META,
  untraced,
  type ServiceRegistry,
} from '@rookery/discovery/adapter';
import { request, type Dispatcher } from 'undici';
import type { PeerState, SystemState } from './dashboard-state.js';
import { isAppState } from './peer-state.js';
import { PEER_HEADER, signFor } from './peer-signature.js';

export interface PeerSettings {
  /** Of the page, with the global prefix of the apps. */
  readonly path: string;
  readonly secret: string | undefined;
  readonly limit: number;
  readonly timeoutMs: number;
  /** Whether an address is this app's own. */
  readonly isOwn: (host: string) => boolean;
  /** Undefined: that of the process. */
  readonly dispatcherTo: (instance: ServiceInstance) => Dispatcher | undefined;
}

const AT_ONCE = 8;
const MOST_BYTES = 2 * 1024 * 1024;
/** One that has no dashboard is asked again after this time. */
const ASK_AGAIN_MS = 60_000;
/** The registry is read at most this often, and not watched: a page is no reason for hundreds of watches. */
const READ_AGAIN_MS = 30_000;
const READ_TIMEOUT_MS = 10_000;
/** Where that failed. */
const RETRY_AFTER_MS = 5_000;

/** What all apps of a system see: each is asked for what it sees, a few at a time. */
export class SystemView {
  readonly #registry: ServiceRegistry;
  readonly #settings: PeerSettings;
  readonly #without = new Map<string, number>();
  #known: readonly Peer[] = [];
  #readNextAt = -Infinity;
  #isClosed = false;

  constructor(registry: ServiceRegistry, settings: PeerSettings) {
    this.#registry = registry;
    this.#settings = settings;
  }

  /**
   * @param ownId the app itself is not asked, under whatever address
   * @param ticks milliseconds of a monotonic clock
   */
  async collect(ownId: string, ticks: number): Promise<SystemState> {
    if (ticks >= this.#readNextAt) {
      // One that fails leaves what is known.
      this.#readNextAt = ticks + RETRY_AFTER_MS;
      this.#known = await this.#read();
      this.#readNextAt = ticks + READ_AGAIN_MS;
    }
    for (const [host, at] of this.#without) if (ticks - at > ASK_AGAIN_MS) this.#without.delete(host);
    const found = this.#known.filter(({ host }) => !this.#without.has(host) && !this.#settings.isOwn(host));
    const asked = found.slice(0, this.#settings.limit);
    const answers = new Map<string, PeerState>();
    await eachConcurrently(asked, AT_ONCE, async (peer) => {
      if (this.#isClosed) return;
      const answer = await this.#ask(peer, ticks);
      const id = answer?.state?.app.id ?? answer?.id;
      // An app may be registered as several services, at several ports.
      if (answer && id !== undefined && id !== ownId && !answers.get(id)?.state) answers.set(id, answer);
    });
    const peers = [...answers.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    return { peers, left: found.length - asked.length };
  }

  /** Asks no more of them. */
  close(): void {
    this.#isClosed = true;
  }

  /** Instances that Rookery registered, of all services. */
  async #read(): Promise<readonly Peer[]> {
    const signal = AbortSignal.timeout(READ_TIMEOUT_MS);
    const names = Object.keys(await this.#registry.services(signal));
    const peers = new Map<string, Peer>();
    await eachConcurrently(names, AT_ONCE, async (name) => {
      const instances: readonly ServiceInstance[] | undefined = await this.#registry
        .readConsistent(name, {}, signal)
        .catch(() => undefined);
      if (!instances) for (const peer of this.#known) if (peer.service === name) peers.set(peer.host, peer);
      for (const instance of instances ?? []) {
        const { service, meta, status } = instance;
        const host = hostAndPort(instance);
        if (status === 'critical' || meta[READINESS_META] === undefined || peers.has(host)) continue;
        peers.set(host, { service, host, instance });
      }
    });
    return [...peers.values()];
  }

  /** @returns undefined when it has no dashboard */
  async #ask({ service, host, instance }: Peer, ticks: number): Promise<PeerState | undefined> {
    const { path, secret, timeoutMs, dispatcherTo } = this.#settings;
    const { id, secure } = instance;
    const peer = { id, service, address: host };
    const ending = new AbortController();
    const timer = setTimeout(() => ending.abort(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
    try {
      const url = new URL(`${secure ? 'https' : 'http'}://${host}${path}/peer`);
      const dispatcher = dispatcherTo(instance);
      const response = await untraced(false, () =>
        request(url, {
          ...(dispatcher ? { dispatcher } : {}),
          // As the peer is told it: without the port where it is that of the scheme.
          headers: secret === undefined ? {} : { [PEER_HEADER]: signFor(url.host, secret, Date.now()) },
          signal: ending.signal,
        }),
      );
      if (response.statusCode === 404) {
        ending.abort();
        this.#without.set(host, ticks);
        return undefined;
      }
      if (response.statusCode !== 200) return { ...peer, error: `it answered ${response.statusCode}` };
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of response.body as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > MOST_BYTES) return { ...peer, error: `its answer is larger than ${MOST_BYTES} bytes` };
        chunks.push(chunk);
      }
      const state: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
      return isAppState(state) ? { ...peer, state } : { ...peer, error: 'its answer is none of a dashboard' };
    } catch (error) {
      return { ...peer, error: errorMessage(ending.signal.aborted ? ending.signal.reason : error) };
    } finally {
      clearTimeout(timer);
      ending.abort();
    }
  }
}

interface Peer {
  readonly service: string;
  readonly host: string;
  readonly instance: ServiceInstance;
}
