/** What a request to Consul is for. */
export type RequestKind = 'list' | 'own-service' | 'own-checks' | 'registration' | 'other';

const BIN_MS = 100;

/** What is counted in a part of the time, such as a deployment. */
export interface FleetCounts {
  readonly ms: number;
  /** That were answered. */
  readonly requests: ReadonlyMap<RequestKind, number>;
  /** Of requests and responses, with their headers. */
  readonly bytes: number;
  readonly calls: number;
  readonly failedCalls: number;
  /** Of an agent, at the same time; 200 are allowed. */
  readonly mostConnections: number;
}

/** What only a simulation can count, too. */
export interface SimulatedCounts extends FleetCounts {
  /** Of the servers: reads that an agent does not answer itself, and writes. */
  readonly serverReads: number;
  readonly serverWrites: number;
  /** Reads that wait at the servers at the end. */
  readonly blockedReads: number;
  readonly bins: readonly TrafficBin[];
}

/** What was sent within 100 ms. */
export interface TrafficBin {
  readonly requests: number;
  /** How many apps sent any. */
  readonly apps: number;
}

/** Counts what the apps of a fleet send. */
export class FleetTraffic {
  readonly #now: () => number;
  #since = 0;
  #requests = new Map<RequestKind, number>();
  #bytes = 0;
  #serverReads = 0;
  #serverWrites = 0;
  #calls = 0;
  #failedCalls = 0;
  #bins: TrafficBin[] = [];
  #inBin = 0;
  readonly #appsInBin = new Set<number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** @returns what was counted since the last time */
  take(): Omit<SimulatedCounts, 'mostConnections' | 'blockedReads'> {
    this.#closeBins();
    const counts = {
      ms: this.#now() - this.#since,
      requests: this.#requests,
      bytes: this.#bytes,
      serverReads: this.#serverReads,
      serverWrites: this.#serverWrites,
      bins: this.#bins,
      calls: this.#calls,
      failedCalls: this.#failedCalls,
    };
    this.#since = this.#now();
    this.#requests = new Map();
    this.#bytes = this.#serverReads = this.#serverWrites = this.#calls = this.#failedCalls = 0;
    this.#bins = [];
    return counts;
  }

  sent(app: number, bytes: number): void {
    this.#bytes += bytes;
    this.#closeBins();
    this.#inBin++;
    this.#appsInBin.add(app);
  }

  answered(kind: RequestKind, bytes: number): void {
    this.#requests.set(kind, (this.#requests.get(kind) ?? 0) + 1);
    this.#bytes += bytes;
  }

  readOfServer(): void {
    this.#serverReads++;
  }

  writeOfServer(): void {
    this.#serverWrites++;
  }

  called(hasFailed: boolean): void {
    this.#calls++;
    if (hasFailed) this.#failedCalls++;
  }

  /** Those that are over; the last one may be a part of 100 ms. */
  #closeBins(): void {
    const present = Math.floor((this.#now() - this.#since) / BIN_MS);
    while (this.#bins.length < present) {
      this.#bins.push({ requests: this.#inBin, apps: this.#appsInBin.size });
      this.#inBin = 0;
      this.#appsInBin.clear();
    }
  }
}

/** By its path: what the same requests are to a real agent. */
export function kindOf(method: string, path: string): RequestKind {
  if (method !== 'GET') return 'registration';
  if (path.startsWith('/v1/health/service/')) return 'list';
  if (path.startsWith('/v1/agent/service/')) return 'own-service';
  if (path.startsWith('/v1/health/node/')) return 'own-checks';
  return 'other';
}

/** The largest number of requests, and of apps that sent any, within 100 ms. */
export function burstOf({ bins }: Pick<SimulatedCounts, 'bins'>): TrafficBin {
  return {
    requests: Math.max(...bins.map(({ requests }) => requests)),
    apps: Math.max(...bins.map(({ apps }) => apps)),
  };
}

/** Of a fleet, from those of its parts: an app is of one of them, and each has all writes. */
export function mergeCounts(parts: readonly SimulatedCounts[]): SimulatedCounts {
  const [first, ...others] = parts;
  if (!first) throw new Error('there is no part');
  return others.reduce(
    (sum, part) => ({
      ms: sum.ms,
      requests: new Map(
        [...new Set([...sum.requests.keys(), ...part.requests.keys()])].map((kind) => [
          kind,
          (sum.requests.get(kind) ?? 0) + (part.requests.get(kind) ?? 0),
        ]),
      ),
      bytes: sum.bytes + part.bytes,
      calls: sum.calls + part.calls,
      failedCalls: sum.failedCalls + part.failedCalls,
      mostConnections: Math.max(sum.mostConnections, part.mostConnections),
      serverReads: sum.serverReads + part.serverReads,
      serverWrites: sum.serverWrites,
      blockedReads: sum.blockedReads + part.blockedReads,
      bins: sum.bins.map(({ requests, apps }, at) => ({
        requests: requests + (part.bins[at]?.requests ?? 0),
        apps: apps + (part.bins[at]?.apps ?? 0),
      })),
    }),
    first,
  );
}

export function requestsOf({ requests }: FleetCounts): number {
  return [...requests.values()].reduce((sum, count) => sum + count, 0);
}

export function perSecond({ ms }: FleetCounts, count: number): number {
  return (count * 1_000) / ms;
}
