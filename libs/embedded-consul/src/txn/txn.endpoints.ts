import type { Authorizer } from '../acl/acl-store.js';
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
import { applyKvOperation, type KvOperation, type KvOutcome } from '../kv/kv-operations.js';
import { renderKv } from '../kv/kv.endpoints.js';
import { KV } from '../kv/kv-store.js';

import {
  applyCatalogOperation,
  catalogOperation,
  catalogOperationTypes,
  goVerb,
  type CatalogOperation,
  type CatalogOperationBody,
} from './catalog-operations.js';

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
    Verb: goVerb('KV'),
    Key: goString,
    Value: goBytes,
    Flags: goUint64,
    Index: goInt,
    Session: goString,
    Namespace: goString,
  },
};
const operations = goArray(
  {
    kind: 'struct',
    name: 'api.TxnOp',
    errorName: 'TxnOp',
    fields: {
      KV: kvOperation,
      ...catalogOperationTypes,
      Intention: goAny,
    },
  },
  'api.TxnOps',
);

interface Body extends CatalogOperationBody {
  KV?: { Verb?: string; Key?: string; Value?: Buffer; Flags?: bigint; Index?: number; Session?: string };
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
  core.datacenter(request);
  const { datacenter } = core.options.identity;
  const wanted = body.flatMap((each): Operation[] => {
    if (each.KV) return [kvOperationOf(each.KV)];
    const operation = catalogOperation(core.catalog, each, datacenter);
    return operation ? [operation] : [];
  });
  // A transaction that is empty because of a typo is answered like a read.
  const reads = wanted.every((operation) =>
    isOnKey(operation) ? READS.has(operation.verb) || !WRITES.has(operation.verb) : operation.verb === 'get',
  );
  // Nothing blocks here, but `wait` and `index` of a read are validated.
  if (reads) readOptions(request);
  return run(core, request, wanted, reads);
}

type Operation = KvOperation | CatalogOperation;

function isOnKey(operation: Operation): operation is KvOperation {
  return 'key' in operation;
}

function kvOperationOf(kv: NonNullable<Body['KV']>): KvOperation {
  return {
    verb: kv.Verb ?? '',
    key: kv.Key ?? '',
    value: kv.Value ?? Buffer.alloc(0),
    flags: kv.Flags ?? 0n,
    index: kv.Index ?? 0,
    session: kv.Session ?? '',
  };
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

function run(core: Core, request: ApiRequest, wanted: readonly Operation[], reads: boolean): ApiReply {
  const authorizer = core.authorizer(request);
  const meta = reads ? { Index: 0, LastContact: 0, KnownLeader: true, ConsistencyLevel: '' } : {};
  const headers: Record<string, string> = reads
    ? { 'X-Consul-Knownleader': 'true', 'X-Consul-Lastcontact': '0' }
    : {};
  if (!reads) core.requireLeader();
  const index = core.indexes.last + 1;
  const errors = wanted.flatMap((operation, at) => {
    const What = problemOf(core, authorizer, operation, reads);
    return What === undefined ? [] : [{ OpIndex: at, What }];
  });
  const outcomes: KvOutcome[] = [];
  const results: (() => object[])[] = [];
  const apply = (): boolean => {
    wanted.forEach((operation, at) => {
      if (isOnKey(operation)) {
        const outcome = applyKvOperation(core.kv, core.sessions, index, operation);
        outcomes.push(outcome);
        results.push(() => shownKeys(core, outcome, (key) => !reads || authorizer.may('key', key, 'read')));
        if (outcome.error !== undefined) errors.push({ OpIndex: at, What: outcome.error });
      } else {
        const What = applyCatalogOperation(operation);
        if (What !== undefined) errors.push({ OpIndex: at, What });
        const isShown = !operation.verb.startsWith('delete') && operation.mayBe(authorizer, 'read');
        results.push(() => (isShown ? [operation.render() ?? []].flat() : []));
      }
    });
    return errors.length === 0;
  };
  // Most transactions are on keys alone, and each undoes its own.
  const isOnCatalog = !wanted.every(isOnKey);
  const changes =
    errors.length > 0 ? undefined : isOnCatalog ? core.catalog.together(index, apply) : apply() && NO_CHANGES;
  if (!changes) {
    for (const { undo } of outcomes.reverse()) undo();
    return { status: 409, headers, json: { Results: null, Errors: errors, ...meta } };
  }
  if (!reads) {
    core.indexes.next();
    core.indexes.changed(index, [...(outcomes.length > 0 ? [KV] : []), ...changes.topics]);
  }
  const Results = results.flatMap((show) => show());
  changes.tell();
  return { headers, json: { Results, Errors: null, ...meta } };
}

const NO_CHANGES = { topics: [], tell: () => undefined };

/** Why it is not even tried. */
function problemOf(
  core: Core,
  authorizer: Authorizer,
  operation: Operation,
  reads: boolean,
): string | undefined {
  const wanted = READS.has(operation.verb) ? 'read' : 'write';
  if (!isOnKey(operation)) {
    if (operation.problem !== undefined) return operation.problem;
    return wanted === 'read' || operation.mayBe(authorizer, 'write') ? undefined : 'Permission denied';
  }
  const { key, verb } = operation;
  if (key === '' && verb !== 'get-tree' && verb !== 'delete-tree') return 'Must provide key';
  if (!reads && !authorizer.may('key', key, wanted)) return 'Permission denied';
  if (verb === 'lock' && core.kv.isClosed(key))
    return `failed to lock key ${JSON.stringify(key)} due to lock delay`;
  return undefined;
}

function shownKeys(
  core: Core,
  { show = [], showValues = false }: KvOutcome,
  mayRead: (key: string) => boolean,
): object[] {
  return show.filter(mayRead).flatMap((key) => {
    const entry = core.kv.get(key);
    return entry ? [{ KV: renderKv(entry, showValues) }] : [];
  });
}
