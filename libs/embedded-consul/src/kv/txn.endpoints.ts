import type { Core, Endpoint } from '../core.js';
import { ApiError, badRequest } from '../http/api-error.js';
import type { ApiReply, ApiRequest } from '../http/api-request.js';
import {
  decodeGo,
  goAny,
  goArray,
  goBytes,
  goInt,
  goString,
  goUint64,
  type GoStruct,
} from '../json/go-json-decoder.js';
import { readOptions } from '../state/blocking-query.js';
import { applyKvOperation, type KvOperation, type KvOutcome } from './kv-operations.js';
import { renderKv } from './kv.endpoints.js';
import { KV } from './kv-store.js';

export const txnEndpoints: readonly Endpoint[] = [
  { path: '/v1/txn', ignoresNamespace: true, methods: { PUT: txn } },
];

const MOST_OPERATIONS = 64;
const LARGEST_BODY = 524_288;
const READS: ReadonlySet<string> = new Set([
  'get',
  'get-tree',
  'check-index',
  'check-session',
  'check-not-exists',
]);

const kvOperation: GoStruct = {
  kind: 'struct',
  name: 'api.KVTxnOp',
  errorName: 'KVTxnOp',
  fields: {
    Verb: goString,
    Key: goString,
    Value: goBytes,
    Flags: goUint64,
    Index: goInt,
    Session: goString,
    Namespace: goString,
  },
};
/** Refused like Consul if it is not an operation, and with 501 if it is one that the embedded agent lacks. */
function notImplemented(name: string): GoStruct {
  return { kind: 'struct', name: `api.${name}`, errorName: name, fields: { Verb: goString } };
}

const operations = goArray(
  {
    kind: 'struct',
    name: 'api.TxnOp',
    errorName: 'TxnOp',
    fields: {
      KV: kvOperation,
      Node: notImplemented('NodeTxnOp'),
      Service: notImplemented('ServiceTxnOp'),
      Check: notImplemented('CheckTxnOp'),
      Intention: goAny,
    },
  },
  'api.TxnOps',
);

interface Body {
  KV?: { Verb?: string; Key?: string; Value?: Buffer; Flags?: bigint; Index?: number; Session?: string };
  Node?: unknown;
  Service?: unknown;
  Check?: unknown;
}

function txn(core: Core, request: ApiRequest): ApiReply {
  if (request.body.length > LARGEST_BODY) {
    throw new ApiError(
      413,
      `Request body(${request.body.length} bytes) too large, max size: ${LARGEST_BODY} bytes. ` +
        'See https://www.consul.io/docs/agent/options.html#txn_max_req_len.',
    );
  }
  const body = parse(request);
  if (body.length > MOST_OPERATIONS) {
    throw new ApiError(413, `Transaction contains too many operations (${body.length} > ${MOST_OPERATIONS})`);
  }
  if (body.some(({ Node, Service, Check }) => Node ?? Service ?? Check)) {
    throw new ApiError(
      501,
      'embedded-consul: transactions on nodes, services and checks are not implemented',
    );
  }
  core.datacenter(request);
  const wanted = body.flatMap(({ KV: kv }): KvOperation[] =>
    kv
      ? [
          {
            verb: kv.Verb ?? '',
            key: kv.Key ?? '',
            value: kv.Value ?? Buffer.alloc(0),
            flags: kv.Flags ?? 0n,
            index: kv.Index ?? 0,
            session: kv.Session ?? '',
          },
        ]
      : [],
  );
  // A transaction that is empty because of a typo is answered like a read.
  const reads = wanted.every(({ verb }) => READS.has(verb) || !WRITES.has(verb));
  // Nothing blocks here, but `wait` and `index` of a read are validated.
  if (reads) readOptions(request);
  return run(core, request, wanted, reads);
}

const WRITES: ReadonlySet<string> = new Set([
  'set',
  'cas',
  'lock',
  'unlock',
  'delete',
  'delete-tree',
  'delete-cas',
]);

function parse(request: ApiRequest): Body[] {
  try {
    return (decodeGo(request.body.toString('utf8'), operations) ?? []) as Body[];
  } catch (error) {
    throw badRequest(`Failed to parse body: ${(error as Error).message}`);
  }
}

function run(core: Core, request: ApiRequest, wanted: readonly KvOperation[], reads: boolean): ApiReply {
  const authorizer = core.authorizer(request);
  const meta = reads ? { Index: 0, LastContact: 0, KnownLeader: true, ConsistencyLevel: '' } : {};
  const headers: Record<string, string> = reads
    ? { 'X-Consul-Knownleader': 'true', 'X-Consul-Lastcontact': '0' }
    : {};
  const errors: { OpIndex: number; What: string }[] = [];
  const outcomes: KvOutcome[] = [];
  const index = core.indexes.last + 1;
  if (!reads) core.requireLeader();
  wanted.forEach((operation, at) => {
    if (operation.key === '' && operation.verb !== 'get-tree' && operation.verb !== 'delete-tree') {
      errors.push({ OpIndex: at, What: 'Must provide key' });
    } else if (
      !reads &&
      !authorizer.may('key', operation.key, READS.has(operation.verb) ? 'read' : 'write')
    ) {
      errors.push({ OpIndex: at, What: 'Permission denied' });
    } else if (operation.verb === 'lock' && core.kv.isClosed(operation.key)) {
      const key = JSON.stringify(operation.key);
      errors.push({ OpIndex: at, What: `failed to lock key ${key} due to lock delay` });
    }
  });
  if (errors.length === 0) {
    wanted.forEach((operation, at) => {
      const outcome = applyKvOperation(core.kv, core.sessions, index, operation);
      if (outcome.error !== undefined) errors.push({ OpIndex: at, What: outcome.error });
      outcomes.push(outcome);
    });
  }
  if (errors.length > 0) {
    for (const { undo } of outcomes.reverse()) undo();
    return { status: 409, headers, json: { Results: null, Errors: errors, ...meta } };
  }
  if (!reads) {
    core.indexes.next();
    core.indexes.changed(index, [KV]);
  }
  const Results = outcomes.flatMap(({ show = [], showValues = false }) =>
    show
      .filter((key) => !reads || authorizer.may('key', key, 'read'))
      .flatMap((key) => {
        const entry = core.kv.get(key);
        return entry ? [{ KV: renderKv(entry, showValues) }] : [];
      }),
  );
  return { headers, json: { Results, Errors: null, ...meta } };
}
