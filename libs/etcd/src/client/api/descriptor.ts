import type { MethodDefinition } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';

type Fields = Readonly<Record<string, string>>;

/** `key: 'bytes 1'`, `kvs: 'repeated mvccpb.KeyValue 2'`: type and number of each field, as in a .proto file. */
function message(fields: Fields = {}, oneofs: Readonly<Record<string, readonly string[]>> = {}): object {
  const entries = Object.entries(fields).map(([name, text]) => {
    const words = text.split(' ');
    const id = Number(words.at(-1));
    const type = words.at(-2);
    return [name, { type, id, ...(words[0] === 'repeated' ? { rule: 'repeated' } : {}) }] as const;
  });
  return {
    fields: Object.fromEntries(entries),
    oneofs: Object.fromEntries(Object.entries(oneofs).map(([name, oneof]) => [name, { oneof }])),
  };
}

/** Values in the order of their numbers, from 0. */
function enumeration(...names: string[]): object {
  return { values: Object.fromEntries(names.map((name, number) => [name, number])) };
}

/** `Range: 'RangeRequest RangeResponse'`; `stream` before a type makes that side a stream. */
function service(methods: Fields): object {
  const entries = Object.entries(methods).map(([name, text]) => {
    const [, requestStream, requestType, responseStream, responseType] =
      /^(stream )?(\w+) (stream )?(\w+)$/.exec(text) ?? [];
    return [
      name,
      {
        requestType,
        responseType,
        requestStream: requestStream !== undefined,
        responseStream: responseStream !== undefined,
      },
    ] as const;
  });
  return { methods: Object.fromEntries(entries) };
}

const HEADER = { header: 'ResponseHeader 1' };

/**
 * The part of etcd's API, version 3, that is used here. Names and numbers are those of its published definition
 * (https://etcd.io/docs/v3.5/dev-guide/api_reference_v3/), which keep their meaning in all versions from 3.0 on.
 */
const PACKAGES = {
  mvccpb: {
    KeyValue: message({
      key: 'bytes 1',
      create_revision: 'int64 2',
      mod_revision: 'int64 3',
      version: 'int64 4',
      value: 'bytes 5',
      lease: 'int64 6',
    }),
    EventType: enumeration('PUT', 'DELETE'),
    Event: message({ type: 'EventType 1', kv: 'KeyValue 2', prev_kv: 'KeyValue 3' }),
  },
  etcdserverpb: {
    ResponseHeader: message({
      cluster_id: 'uint64 1',
      member_id: 'uint64 2',
      revision: 'int64 3',
      raft_term: 'uint64 4',
    }),
    SortOrder: enumeration('NONE', 'ASCEND', 'DESCEND'),
    SortTarget: enumeration('KEY', 'VERSION', 'CREATE', 'MOD', 'VALUE'),
    RangeRequest: message({
      key: 'bytes 1',
      range_end: 'bytes 2',
      limit: 'int64 3',
      revision: 'int64 4',
      sort_order: 'SortOrder 5',
      sort_target: 'SortTarget 6',
      serializable: 'bool 7',
      keys_only: 'bool 8',
      count_only: 'bool 9',
    }),
    RangeResponse: message({
      ...HEADER,
      kvs: 'repeated mvccpb.KeyValue 2',
      more: 'bool 3',
      count: 'int64 4',
    }),
    PutRequest: message({
      key: 'bytes 1',
      value: 'bytes 2',
      lease: 'int64 3',
      prev_kv: 'bool 4',
      ignore_value: 'bool 5',
      ignore_lease: 'bool 6',
    }),
    PutResponse: message({ ...HEADER, prev_kv: 'mvccpb.KeyValue 2' }),
    DeleteRangeRequest: message({ key: 'bytes 1', range_end: 'bytes 2', prev_kv: 'bool 3' }),
    DeleteRangeResponse: message({ ...HEADER, deleted: 'int64 2', prev_kvs: 'repeated mvccpb.KeyValue 3' }),
    CompareResult: enumeration('EQUAL', 'GREATER', 'LESS', 'NOT_EQUAL'),
    CompareTarget: enumeration('VERSION', 'CREATE', 'MOD', 'VALUE', 'LEASE'),
    Compare: message(
      {
        result: 'CompareResult 1',
        target: 'CompareTarget 2',
        key: 'bytes 3',
        version: 'int64 4',
        create_revision: 'int64 5',
        mod_revision: 'int64 6',
        value: 'bytes 7',
        lease: 'int64 8',
        range_end: 'bytes 64',
      },
      { target_union: ['version', 'create_revision', 'mod_revision', 'value', 'lease'] },
    ),
    RequestOp: message(
      {
        request_range: 'RangeRequest 1',
        request_put: 'PutRequest 2',
        request_delete_range: 'DeleteRangeRequest 3',
      },
      { request: ['request_range', 'request_put', 'request_delete_range'] },
    ),
    ResponseOp: message(
      {
        response_range: 'RangeResponse 1',
        response_put: 'PutResponse 2',
        response_delete_range: 'DeleteRangeResponse 3',
      },
      { response: ['response_range', 'response_put', 'response_delete_range'] },
    ),
    TxnRequest: message({
      compare: 'repeated Compare 1',
      success: 'repeated RequestOp 2',
      failure: 'repeated RequestOp 3',
    }),
    TxnResponse: message({ ...HEADER, succeeded: 'bool 2', responses: 'repeated ResponseOp 3' }),
    CompactionRequest: message({ revision: 'int64 1', physical: 'bool 2' }),
    CompactionResponse: message(HEADER),
    WatchCreateRequest: message({
      key: 'bytes 1',
      range_end: 'bytes 2',
      start_revision: 'int64 3',
      prev_kv: 'bool 6',
      watch_id: 'int64 7',
    }),
    WatchCancelRequest: message({ watch_id: 'int64 1' }),
    WatchProgressRequest: message(),
    WatchRequest: message(
      {
        create_request: 'WatchCreateRequest 1',
        cancel_request: 'WatchCancelRequest 2',
        progress_request: 'WatchProgressRequest 3',
      },
      { request_union: ['create_request', 'cancel_request', 'progress_request'] },
    ),
    WatchResponse: message({
      ...HEADER,
      watch_id: 'int64 2',
      created: 'bool 3',
      canceled: 'bool 4',
      compact_revision: 'int64 5',
      cancel_reason: 'string 6',
      events: 'repeated mvccpb.Event 11',
    }),
    LeaseGrantRequest: message({ TTL: 'int64 1', ID: 'int64 2' }),
    LeaseGrantResponse: message({ ...HEADER, ID: 'int64 2', TTL: 'int64 3', error: 'string 4' }),
    LeaseRevokeRequest: message({ ID: 'int64 1' }),
    LeaseRevokeResponse: message(HEADER),
    LeaseKeepAliveRequest: message({ ID: 'int64 1' }),
    LeaseKeepAliveResponse: message({ ...HEADER, ID: 'int64 2', TTL: 'int64 3' }),
    LeaseTimeToLiveRequest: message({ ID: 'int64 1', keys: 'bool 2' }),
    LeaseTimeToLiveResponse: message({
      ...HEADER,
      ID: 'int64 2',
      TTL: 'int64 3',
      grantedTTL: 'int64 4',
      keys: 'repeated bytes 5',
    }),
    AuthenticateRequest: message({ name: 'string 1', password: 'string 2' }),
    AuthenticateResponse: message({ ...HEADER, token: 'string 2' }),
    StatusRequest: message(),
    StatusResponse: message({
      ...HEADER,
      version: 'string 2',
      dbSize: 'int64 3',
      leader: 'uint64 4',
      errors: 'repeated string 8',
    }),
    KV: service({
      Range: 'RangeRequest RangeResponse',
      Put: 'PutRequest PutResponse',
      DeleteRange: 'DeleteRangeRequest DeleteRangeResponse',
      Txn: 'TxnRequest TxnResponse',
      Compact: 'CompactionRequest CompactionResponse',
    }),
    Watch: service({ Watch: 'stream WatchRequest stream WatchResponse' }),
    Lease: service({
      LeaseGrant: 'LeaseGrantRequest LeaseGrantResponse',
      LeaseRevoke: 'LeaseRevokeRequest LeaseRevokeResponse',
      LeaseKeepAlive: 'stream LeaseKeepAliveRequest stream LeaseKeepAliveResponse',
      LeaseTimeToLive: 'LeaseTimeToLiveRequest LeaseTimeToLiveResponse',
    }),
    Auth: service({ Authenticate: 'AuthenticateRequest AuthenticateResponse' }),
    Maintenance: service({ Status: 'StatusRequest StatusResponse' }),
  },
};

/** Numbers of 64 bits are strings: they do not fit into a number. */
const definition = fromJSON(
  {
    nested: Object.fromEntries(Object.entries(PACKAGES).map(([name, nested]) => [name, { nested }] as const)),
  },
  { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true },
);

/** @param name such as `KV/Range` */
export function methodOf<Request extends object, Response>(
  name: string,
): MethodDefinition<Request, Response> {
  const [owner = '', method = ''] = name.split('/');
  const methods = definition[`etcdserverpb.${owner}`] as
    Readonly<Record<string, MethodDefinition<Request, Response>>> | undefined;
  const found = methods?.[method];
  if (!found) throw new Error(`etcd's API has no ${name} here`);
  return found;
}
