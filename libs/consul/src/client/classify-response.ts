import type { DiscoveryErrorCode } from '@rookery/discovery';
import { ConsulError } from './consul-error.js';

interface Verdict {
  readonly code: DiscoveryErrorCode;
  readonly retryable: boolean;
  readonly hint?: string;
}

const LONGEST_TEXT = 300;

/**
 * Consul's errors are plain text with wording that moves between versions, and mostly status 500: the status decides
 * first, the text second, and neither is parsed any further.
 */
export function errorOfAnswer(
  request: string,
  status: number,
  text: string,
  retryAfter: string | undefined,
): ConsulError {
  const verdict = classify(status, text);
  const shown = text.trim().slice(0, LONGEST_TEXT) || 'no text';
  const seconds = Number(retryAfter);
  return new ConsulError(verdict.code, `${request} → ${status}: ${shown}`, {
    status,
    retryable: verdict.retryable,
    ...(verdict.hint === undefined ? {} : { hint: verdict.hint }),
    ...(retryAfter !== undefined && Number.isFinite(seconds) ? { retryAfter: seconds * 1000 } : {}),
  });
}

function classify(status: number, text: string): Verdict {
  if (status === 401 || status === 403 || /ACL not found|Permission denied/i.test(text)) return DENIED;
  if (status === 409) return { code: 'RK_CONFLICT', retryable: false };
  if (status === 404 || (status === 500 && UNKNOWN.test(text)))
    return { code: 'RK_NOT_FOUND', retryable: false };
  if (status === 429 || status === 503) return LIMITED;
  if (status === 500 && text.includes('Failed to create boolean expression')) return BAD_FILTER;
  if (status === 500 && text.includes('No path to datacenter')) return NO_DATACENTER;
  if (status === 500 && NO_LEADER_TEXT.test(text)) return NO_LEADER;
  if (status >= 500) return { code: 'RK_REGISTRY_FAILED', retryable: true };
  return { code: 'RK_REGISTRY_REFUSED', retryable: false };
}

// What an agent says of a thing that it lost or never had (1.8 says it with 500, newer versions with 404).
const UNKNOWN =
  /does not have associated TTL|Unknown check|Unknown service|No service registered|invalid session/i;
const NO_LEADER_TEXT = /No cluster leader|No known Consul servers|rpc error|stream closed/;

const DENIED: Verdict = {
  code: 'RK_ACL_DENIED',
  retryable: false,
  hint: 'The token is missing, unknown, or may not do this: see agent.token, agent.tokenFile or CONSUL_HTTP_TOKEN',
};
const LIMITED: Verdict = {
  code: 'RK_REGISTRY_LIMITED',
  retryable: true,
  hint: "The agent limits requests or connections: see its 'limits' configuration",
};
const NO_LEADER: Verdict = {
  code: 'RK_REGISTRY_NO_LEADER',
  retryable: true,
  hint: 'The agent answers but its servers do not; an election ends by itself within seconds',
};
const NO_DATACENTER: Verdict = {
  code: 'RK_REGISTRY_FAILED',
  retryable: true,
  hint: "No such datacenter is joined: 'consul members -wan' lists them",
};
const BAD_FILTER: Verdict = {
  code: 'RK_REGISTRY_REFUSED',
  retryable: false,
  hint: 'The filter is not an expression that Consul understands, such as Service.Meta.tier == "gold"',
};
