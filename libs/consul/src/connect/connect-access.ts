import { decideByIntentions, type IntentionRules } from './intention-decision.js';
import type { ConnectPeer } from './connect-peer.js';

export interface AccessFacts {
  readonly trustDomain: string | undefined;
  /** Undefined: they are not known yet. */
  readonly rules: IntentionRules | undefined;
  /** In milliseconds since the epoch. */
  readonly now: number;
}

/** Why a peer may not call at present; `caller`: undefined where it is not known. */
export interface Denial {
  readonly caller: string | undefined;
  readonly reason: string;
}

/**
 * Whether a peer may call: asked for each request, since a connection may be older than the intention that denies it (consul#5277), and may outlive the
 * certificate that it was opened with.
 *
 * @returns undefined: it may
 */
export function denialOf(peer: ConnectPeer, { trustDomain, rules, now }: AccessFacts): Denial | undefined {
  if ('problem' in peer) return { caller: undefined, reason: peer.problem };
  const { id, validUntil } = peer;
  // Consul's `authorize` decides by the name of the service alone.
  if (trustDomain === undefined || id.trustDomain !== trustDomain)
    return { caller: undefined, reason: `its certificate is of another trust domain, ${id.trustDomain}` };
  if (!(validUntil > now)) return { caller: id.service, reason: 'its certificate has expired' };
  if (!rules) return { caller: id.service, reason: 'the intentions of Consul are not known yet' };
  const { isAllowed, reason } = decideByIntentions(id, rules);
  return isAllowed ? undefined : { caller: id.service, reason };
}

/** For the caller. */
export function describeDenial({ caller, reason }: Denial): string {
  return `${caller === undefined ? 'This caller' : `"${caller}"`} may not call: ${reason}`;
}
