import { DiscoveryService } from '@rookery/discovery';
import { errorMessage, READINESS_META, untraced } from '@rookery/discovery/adapter';
import { request } from 'undici';
import type { AppState } from './dashboard-state.js';

export interface PeerSettings {
  readonly path: string;
  readonly secret: string | undefined;
  readonly limit: number;
  readonly timeoutMs: number;
}

/** What one app answered, or why it did not. */
export interface PeerState {
  readonly id: string;
  readonly service: string;
  readonly address: string;
  readonly state?: AppState;
  readonly error?: string;
}

export const PEER_HEADER = 'rookery-dashboard-secret';
const AT_ONCE = 8;
const MOST_BYTES = 8 * 1024 * 1024;
/** One that has no dashboard is asked again after this time. */
const ASK_AGAIN_MS = 60_000;

/** What all apps of a system see: each is asked for what it sees, a few at a time. */
export class SystemView {
  readonly #discovery: DiscoveryService;
  readonly #settings: PeerSettings;
  readonly #without = new Map<string, number>();

  constructor(discovery: DiscoveryService, settings: PeerSettings) {
    this.#discovery = discovery;
    this.#settings = settings;
  }

  /** @param ownId the app itself is not asked */
  async collect(
    ownId: string,
    now: number,
  ): Promise<{ readonly peers: readonly PeerState[]; readonly left: number }> {
    const found = await this.#peers(ownId, now);
    const asked = found.slice(0, this.#settings.limit);
    const peers: PeerState[] = [];
    const waiting = [...asked];
    const worker = async (): Promise<void> => {
      for (let peer = waiting.shift(); peer; peer = waiting.shift()) {
        const answer = await this.#ask(peer, now);
        if (answer) peers.push(answer);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    peers.sort((a, b) => (a.id < b.id ? -1 : 1));
    return { peers, left: found.length - asked.length };
  }

  /** Instances that Rookery registered, of all services. */
  async #peers(ownId: string, now: number): Promise<Peer[]> {
    const names = await this.#discovery.getServices();
    const lists = await Promise.all(
      names.map((name) => this.#discovery.getInstances(name, { includeWarning: true }).catch(() => [])),
    );
    for (const [key, at] of this.#without) if (now - at > ASK_AGAIN_MS) this.#without.delete(key);
    const peers = new Map<string, Peer>();
    for (const { id, service, address, port, secure, meta } of lists.flat()) {
      const host = `${address.includes(':') ? `[${address}]` : address}:${port}`;
      if (id === ownId || meta[READINESS_META] === undefined || this.#without.has(host)) continue;
      // An app may be registered as several services.
      if (!peers.has(host)) peers.set(host, { id, service, host, secure });
    }
    return [...peers.values()];
  }

  /** @returns undefined when it has no dashboard */
  async #ask({ id, service, host, secure }: Peer, now: number): Promise<PeerState | undefined> {
    const { path, secret, timeoutMs } = this.#settings;
    const peer = { id, service, address: host };
    try {
      const response = await untraced(false, () =>
        request(`${secure ? 'https' : 'http'}://${host}${path}/peer`, {
          headers: secret === undefined ? {} : { [PEER_HEADER]: secret },
          signal: AbortSignal.timeout(timeoutMs),
        }),
      );
      if (response.statusCode === 404) {
        await response.body.dump();
        this.#without.set(host, now);
        return undefined;
      }
      const text = await response.body.text();
      if (response.statusCode !== 200) return { ...peer, error: `it answered ${response.statusCode}` };
      if (text.length > MOST_BYTES) return { ...peer, error: 'its answer is too large' };
      return { ...peer, state: JSON.parse(text) as AppState };
    } catch (error) {
      return { ...peer, error: errorMessage(error) };
    }
  }
}

interface Peer {
  readonly id: string;
  readonly service: string;
  readonly host: string;
  readonly secure: boolean;
}
