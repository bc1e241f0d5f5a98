import { DiscoveryError } from '../errors/discovery-error.js';
import type { Alert } from './alert.js';

/** The sink has answered, and does not take what it was sent: to send the same again does not help. */
export class AlertRefused extends DiscoveryError {
  constructor(message: string) {
    super('RK_CALL_FAILED', message);
  }
}

/** Where alerts are sent. */
export interface AlertSink {
  /** For messages: it must not contain a secret, such as the path of a webhook. */
  readonly name: string;
  /** By which replicas know that they send to the same place: no secret, but a digest of one. Default: the name. */
  readonly id?: string;
  /** It knows alerts of several replicas by their labels. Otherwise one of the replicas sends, if there is a registry to agree by. */
  readonly deduplicates: boolean;
  /** After this time alerts that still fire are sent again; undefined: they are sent once. */
  readonly repeatEveryMs: number | undefined;
  /** Sends alerts that fire, or are resolved. It is repeated until it succeeds. */
  send(alerts: readonly Alert[], signal: AbortSignal): Promise<void>;
}

/** Of the keys by which replicas agree, where a registry has keys: they are no locks of the app. */
export const CLAIMS_PREFIX = 'rookery/alerts/';

/**
 * How the replicas of an app agree which of them tells of an alert. Where there is none, or it does not answer, each of them does: five messages are
 * better than none.
 */
export abstract class AlertClaims {
  /**
   * @param key of the alert, of this app and its sinks
   * @returns undefined when another replica has it
   */
  abstract claim(key: string): Promise<AlertClaim | undefined>;
}

export interface AlertClaim {
  /** Undefined: for ever; else it aborts when another replica may have it. */
  readonly signal?: AbortSignal;
  release(): Promise<void>;
}
