import type { OpenPool } from '#libs/consul/dist/client/consul-transport.js';
import type { Clock } from '#libs/discovery/dist/timing/clock.js';
import type { FleetCounts } from './fleet-traffic.js';

/** An instance that is no app of this library: it is registered, always answers, and asks for nothing. */
export interface OtherInstance {
  readonly host: number;
  readonly id: string;
  readonly service: string;
}

/** What may happen to the servers, and to the way to those of another datacenter. */
export type Fault = 'leader lost' | 'server restarted' | 'datacenter cut off';

/** The other datacenter, which has the same services. */
export const OTHER_DATACENTER = 'dc2';

/** Where a fleet lives: simulated, or on a real cluster. */
export interface FleetWorld<Counts extends FleetCounts> {
  readonly clock: Clock;
  readonly random: () => number;
  /** Open connections of all apps to their agents. */
  readonly connections: number;
  pass(ms: number): Promise<void>;
  addOthers(others: readonly OtherInstance[]): Promise<void>;
  /** A new app begins to listen. @returns its port */
  listen(): Promise<number>;
  hangUp(port: number): void;
  isUp(port: number): boolean;
  /** The agent of a host, for the app of this number; without one, what is asked of it is not counted. */
  agentOf(host: number, app: number | undefined): AppAgent;
  called(hasFailed: boolean): void;
  /** What was counted since the last time. */
  take(): Promise<Counts>;
  /** @param forMs how long it lasts, where it does not end by itself */
  cause(fault: Fault, forMs: number): Promise<void>;
  stop(): Promise<void>;
}

/** How an app reaches its agent. */
export interface AppAgent {
  readonly url: string;
  /** Default: over sockets. */
  readonly openPool?: OpenPool;
}
