import type { BareAnswer, BareRequest } from './bare-request.js';

/** The Consul of a suite, be it the real binary or the embedded one. */
export interface TestConsul {
  readonly url: string;
  /** Of the apps; undefined: any will do. */
  readonly appToken?: string;
  /** A bare request, to look at Consul without the client under test. */
  request(...request: BareRequest): Promise<BareAnswer>;
  kill(): Promise<void>;
  restart(options?: { keepData?: boolean }): Promise<void>;
  /** It accepts connections and never answers. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

export interface TestConsulOptions {
  /** Turns ACLs on, default deny, with this UUID as the management token. */
  token?: string;
}
