import type { DiscoveryErrorCode } from '@rookery/discovery';
import { describeRegistryCap } from '@rookery/discovery/adapter';
import { ruleOf } from '../acl/acl-right.js';
import { neededRight, type DeniedRequest } from '../acl/needed-right.js';
import { ConsulError } from './consul-error.js';

interface Classification {
  readonly code: DiscoveryErrorCode;
  readonly hint?: string;
}

/** What was sent, for the hint of a denial. */
export interface SentRequest extends DeniedRequest {
  /** No token was sent with it. */
  readonly isAnonymous: boolean;
}

const MAX_TEXT = 300;

/**
 * Classifies an error response. Consul's errors are plain text, with wording that changes between versions, and mostly have
 * status 500: the status decides first, the text second, and neither is parsed any further.
 */
export function toConsulError(
  request: string,
  status: number,
  text: string,
  retryAfter: string | undefined,
  sent?: SentRequest,
): ConsulError {
  const { code, hint } = classify(status, text, sent);
  const shown = text.trim().slice(0, MAX_TEXT) || 'no text';
  const retryAfterMs = retryAfter === undefined ? NaN : Number(retryAfter) * 1000;
  const isGiven = Number.isFinite(retryAfterMs);
  const cap = isGiven ? describeRegistryCap(retryAfterMs) : '';
  return new ConsulError(code, `${request} → ${status}: ${shown}${cap}`, {
    status,
    ...(hint === undefined ? {} : { hint }),
    ...(isGiven ? { retryAfterMs } : {}),
  });
}

function classify(status: number, text: string, sent: SentRequest | undefined): Classification {
  if (status === 401 || status === 403 || /ACL not found|Permission denied/i.test(text))
    return { code: 'RK_ACL_DENIED', hint: deniedHint(text, sent) };
  if (status === 400 && text.includes('HTTP request to an HTTPS server')) return WANTS_TLS;
  if (status === 409) return { code: 'RK_TRANSACTION_CONFLICT' };
  if (status === 404 || (status === 500 && UNKNOWN.test(text))) return { code: 'RK_NOT_FOUND' };
  if (status === 429 || status === 503) return LIMITED;
  if (status === 500 && text.includes('Failed to create boolean expression')) return BAD_FILTER;
  if (status === 500 && text.includes('No path to datacenter')) return NO_DATACENTER;
  if (status === 500 && NO_LEADER_TEXT.test(text)) return NO_LEADER;
  return { code: status >= 500 ? 'RK_REGISTRY_ERROR' : 'RK_REGISTRY_BAD_REQUEST' };
}

/** Of an object that the agent lost or never had; version 1.8 reports it with status 500, newer ones with 404. */
const UNKNOWN =
  /does not have associated TTL|Unknown check|Unknown service|No service registered|invalid session/i;
const NO_LEADER_TEXT = /No cluster leader|No known Consul servers|rpc error|stream closed/;

/** Otherwise the token lacks a permission. */
export function saysUnknownToken(text: string): boolean {
  return /ACL not found/i.test(text);
}

function deniedHint(text: string, sent: SentRequest | undefined): string {
  if (!sent) return `Has the token that permission? See ${TOKEN_OPTIONS}`;
  if (saysUnknownToken(text) && !sent.isAnonymous)
    return `Consul does not know this token: it was deleted, it has expired, or it is of another cluster or datacenter. See ${TOKEN_OPTIONS}`;
  const right = neededRight(sent, text);
  const rule = right && ruleOf(right);
  if (sent.isAnonymous)
    return `No token was sent${rule === undefined ? '' : `, and it takes one with ${rule}`}: set ${TOKEN_OPTIONS}`;
  return rule === undefined
    ? 'Add the missing rule to the policy of the token'
    : `Add ${rule} to the policy of the token`;
}

const TOKEN_OPTIONS = 'agent.token, agent.tokenFile, agent.login or CONSUL_HTTP_TOKEN';
const LIMITED: Classification = {
  code: 'RK_REGISTRY_LIMITED',
  hint: "The agent limits requests or connections: see its 'limits' configuration",
};
const NO_LEADER: Classification = {
  code: 'RK_REGISTRY_NO_LEADER',
  hint: 'The agent answers but its servers do not; an election ends by itself within seconds',
};
const NO_DATACENTER: Classification = {
  code: 'RK_UNKNOWN_DATACENTER',
  hint: "No such datacenter is joined: 'consul members -wan' lists them",
};
const WANTS_TLS: Classification = {
  code: 'RK_REGISTRY_BAD_REQUEST',
  hint: 'The agent speaks TLS at this port: use https:// in agent.url or CONSUL_HTTP_ADDR, or CONSUL_HTTP_SSL=true',
};
const BAD_FILTER: Classification = {
  code: 'RK_REGISTRY_BAD_REQUEST',
  hint: 'The filter is not a valid Consul expression, such as Service.Meta.tier == "gold"',
};
