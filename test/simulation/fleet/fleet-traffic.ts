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
  /** The largest number of apps that sent a request within 100 ms. */
  readonly burstOfApps: number;
  /** The largest number of requests within 100 ms. */
  readonly burst: number;
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
  #bin = -1;
  #inBin = 0;
  readonly #appsInBin = new Set<number>();
  #burst = 0;
  #burstOfApps = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** @returns what was counted since the last time */
  take(): Omit<SimulatedCounts, 'mostConnections' | 'blockedReads'> {
    this.#closeBin();
    const counts = {
      ms: this.#now() - this.#since,
      requests: this.#requests,
      bytes: this.#bytes,
      serverReads: this.#serverReads,
      serverWrites: this.#serverWrites,
      burstOfApps: this.#burstOfApps,
      burst: this.#burst,
      calls: this.#calls,
      failedCalls: this.#failedCalls,
    };
    this.#since = this.#now();
    this.#requests = new Map();
    this.#bytes = this.#serverReads = this.#serverWrites = this.#calls = this.#failedCalls = 0;
    this.#burst = this.#burstOfApps = 0;
    return counts;
  }

  sent(app: number, bytes: number): void {
    this.#bytes += bytes;
    const bin = Math.floor(this.#now() / BIN_MS);
    if (bin !== this.#bin) this.#closeBin();
    this.#bin = bin;
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

  #closeBin(): void {
    this.#burst = Math.max(this.#burst, this.#inBin);
    this.#burstOfApps = Math.max(this.#burstOfApps, this.#appsInBin.size);
    this.#inBin = 0;
    this.#appsInBin.clear();
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

export function requestsOf({ requests }: FleetCounts): number {
  return [...requests.values()].reduce((sum, count) => sum + count, 0);
}

export function perSecond({ ms }: FleetCounts, count: number): number {
  return (count * 1_000) / ms;
}
