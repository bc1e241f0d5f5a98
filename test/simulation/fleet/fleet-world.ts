import type { OpenPool } from '#libs/consul/dist/client/consul-transport.js';
import type { Clock } from '#libs/discovery/dist/timing/clock.js';
import type { TrafficWindow } from './fleet-traffic.js';

/** An instance that is no app of this library: it is registered, always answers, and asks for nothing. */
export interface OtherInstance {
  readonly host: number;
  readonly id: string;
  readonly service: string;
}

/** Where a fleet lives: simulated, or on a real cluster. */
export interface FleetWorld {
  readonly clock: Clock;
  readonly random: () => number;
  /** Open connections of all apps to their agents. */
  readonly connections: number;
  /** Reads that wait at the servers; undefined: not known. */
  readonly blockedReads: number | undefined;
  pass(ms: number): Promise<void>;
  addOthers(others: readonly OtherInstance[]): Promise<void>;
  /** A new app begins to listen. @returns its port */
  listen(): Promise<number>;
  hangUp(port: number): void;
  isUp(port: number): boolean;
  /** The agent of a host, for the app of this number. */
  agentOf(host: number, app: number): { readonly url: string; readonly openPool?: OpenPool };
  called(hasFailed: boolean): void;
  openWindow(name: string): Promise<void>;
  closeWindow(): Promise<FleetWindow>;
  loseLeader(): Promise<void>;
  restartServer(): Promise<void>;
  cutWan(forMs: number): Promise<void>;
  stop(): Promise<void>;
}

export interface FleetWindow extends TrafficWindow {
  /** Of an agent, at the same time; 200 are allowed. */
  readonly mostConnections: number;
}
