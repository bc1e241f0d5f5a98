import { status } from '@grpc/grpc-js';
import type { DiscoveryErrorCode } from '@rookery/discovery';
import { connectionHint } from './connection-hint.js';
import { EtcdError } from './etcd-error.js';

interface Classification {
  readonly code: DiscoveryErrorCode;
  readonly hint?: string;
}

const MAX_TEXT = 300;
/** Of what answers as no etcd does. */
export const NO_ETCD_HINT =
  'Is that an etcd with version 3 of its API, at the port of its clients (2379)? See endpoints, or ETCDCTL_ENDPOINTS';

/**
 * Classifies a status of gRPC. The code decides first, the text second: etcd has several meanings for one code.
 *
 * @param request for the message, such as `KV/Range at 127.0.0.1:2379`
 */
export function toEtcdError(request: string, code: status, text: string, cause?: unknown): EtcdError {
  const { code: own, hint } = classify(code, text);
  const name = status[code];
  return new EtcdError(own, `${request} → ${name}: ${text.slice(0, MAX_TEXT)}`, {
    status: code,
    notSent: code === status.UNAVAILABLE && NOT_SENT.test(text),
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Texts of grpc-js for a request for which there was no connection. */
const NOT_SENT = /No connection established|Name resolution failed|ECONNREFUSED/;
const NO_LEADER_TEXT = /no leader|leader changed|request timed out|not capable|stopped|unhealthy cluster/i;

/**
 * Whether a text says that a new token may help. A token of the kind `jwt` has the revision of the users and roles with which it was made, and any change of
 * those ends it (etcd#13300); 3.5 words it in a second way.
 */
export function isTokenRefused(text: string): boolean {
  return /user name is empty|invalid auth token|revision of auth store is old|revision in header is old/.test(
    text,
  );
}

function classify(code: status, text: string): Classification {
  switch (code) {
    case status.UNAVAILABLE:
      return NO_LEADER_TEXT.test(text)
        ? NO_LEADER
        : { code: 'RK_REGISTRY_UNREACHABLE', hint: connectionHint(text) };
    case status.DEADLINE_EXCEEDED:
      return { code: 'RK_REGISTRY_TIMEOUT' };
    case status.UNAUTHENTICATED:
    case status.PERMISSION_DENIED:
      return DENIED;
    case status.INVALID_ARGUMENT:
      return isTokenRefused(text) || text.includes('authentication failed')
        ? DENIED
        : { code: 'RK_REGISTRY_BAD_REQUEST' };
    case status.NOT_FOUND:
      return { code: 'RK_NOT_FOUND' };
    case status.RESOURCE_EXHAUSTED:
      if (text.includes('database space exceeded')) return NO_SPACE;
      // Of grpc-js, about a response.
      if (/^Received message (larger than max|that decompresses)/.test(text))
        return { code: 'RK_REGISTRY_BAD_RESPONSE' };
      // Of grpc-go in the member, about a request.
      if (text.includes('received message larger than max')) return { code: 'RK_REGISTRY_BAD_REQUEST' };
      return { code: 'RK_REGISTRY_LIMITED' };
    case status.UNIMPLEMENTED:
      return NO_ETCD;
    case status.FAILED_PRECONDITION:
    case status.OUT_OF_RANGE:
      return { code: 'RK_REGISTRY_BAD_REQUEST' };
    default:
      if (isTokenRefused(text)) return DENIED;
      return /HTTP status code|Received HTTP/i.test(text) ? NO_ETCD : { code: 'RK_REGISTRY_ERROR' };
  }
}

const NO_LEADER: Classification = {
  code: 'RK_REGISTRY_NO_LEADER',
  hint: 'The member answers but the cluster has no leader; an election ends by itself within seconds',
};
const DENIED: Classification = {
  code: 'RK_ACL_DENIED',
  hint: 'The user is missing, unknown, or lacks the permission: see auth, or ETCDCTL_USER and ETCDCTL_PASSWORD',
};
const NO_SPACE: Classification = {
  code: 'RK_REGISTRY_ERROR',
  hint: "The database has reached its quota: compact and defragment it, then 'etcdctl alarm disarm'",
};
const NO_ETCD: Classification = { code: 'RK_REGISTRY_BAD_REQUEST', hint: NO_ETCD_HINT };
