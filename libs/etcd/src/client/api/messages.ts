/** Numbers of 64 bits as they are on the wire: as strings. */
export type Int64 = string;

export interface ResponseHeader {
  readonly cluster_id: Int64;
  readonly member_id: Int64;
  readonly revision: Int64;
}

export interface KeyValueMessage {
  readonly key: Buffer;
  readonly create_revision: Int64;
  readonly mod_revision: Int64;
  readonly version: Int64;
  readonly value: Buffer;
  readonly lease: Int64;
}

export interface RangeRequest {
  readonly key: Buffer;
  readonly range_end?: Buffer;
  readonly limit?: Int64;
  readonly revision?: Int64;
  readonly sort_order?: 'ASCEND' | 'DESCEND';
  readonly sort_target?: 'KEY' | 'CREATE' | 'MOD';
  readonly serializable?: boolean;
  readonly keys_only?: boolean;
}

export interface RangeResponse {
  readonly header: ResponseHeader;
  readonly kvs: readonly KeyValueMessage[];
  readonly more: boolean;
  readonly count: Int64;
}

export interface PutRequest {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly lease?: Int64;
}

export interface DeleteRangeRequest {
  readonly key: Buffer;
  readonly range_end?: Buffer;
}

export interface DeleteRangeResponse {
  readonly header: ResponseHeader;
  readonly deleted: Int64;
}

export interface CompareMessage {
  readonly key: Buffer;
  readonly result: 'EQUAL' | 'GREATER' | 'LESS' | 'NOT_EQUAL';
  readonly target: 'VERSION' | 'CREATE' | 'MOD' | 'VALUE' | 'LEASE';
  readonly version?: Int64;
  readonly create_revision?: Int64;
  readonly mod_revision?: Int64;
  readonly value?: Buffer;
  readonly lease?: Int64;
}

export interface RequestOp {
  readonly request_range?: RangeRequest;
  readonly request_put?: PutRequest;
  readonly request_delete_range?: DeleteRangeRequest;
}

export interface ResponseOp {
  readonly response_range?: RangeResponse | null;
  readonly response_delete_range?: DeleteRangeResponse | null;
}

export interface WatchRequest {
  readonly create_request?: {
    readonly key: Buffer;
    readonly range_end?: Buffer;
    readonly start_revision: Int64;
    readonly watch_id: Int64;
  };
  readonly cancel_request?: { readonly watch_id: Int64 };
  readonly progress_request?: object;
}

export interface EventMessage {
  readonly type: 'PUT' | 'DELETE';
  /** Null: it is no etcd. */
  readonly kv: KeyValueMessage | null;
}

export interface WatchResponse {
  /** Null: it is no etcd. */
  readonly header: ResponseHeader | null;
  readonly watch_id: Int64;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compact_revision: Int64;
  readonly cancel_reason: string;
  readonly events: readonly EventMessage[];
}

export interface LeaseKeepAliveResponse {
  readonly ID: Int64;
  readonly TTL: Int64;
}

/** Of each method that takes one request: its request, and its response. */
export interface UnaryMethods {
  'KV/Range': [RangeRequest, RangeResponse];
  'KV/Put': [PutRequest, { readonly header: ResponseHeader }];
  'KV/DeleteRange': [DeleteRangeRequest, DeleteRangeResponse];
  'KV/Txn': [
    {
      readonly compare: readonly CompareMessage[];
      readonly success: readonly RequestOp[];
      readonly failure: readonly RequestOp[];
    },
    {
      readonly header: ResponseHeader;
      readonly succeeded: boolean;
      readonly responses: readonly ResponseOp[];
    },
  ];
  'KV/Compact': [{ readonly revision: Int64 }, { readonly header: ResponseHeader }];
  'Lease/LeaseGrant': [
    { readonly TTL: Int64; readonly ID?: Int64 },
    { readonly ID: Int64; readonly TTL: Int64; readonly error: string },
  ];
  'Lease/LeaseRevoke': [{ readonly ID: Int64 }, { readonly header: ResponseHeader }];
  'Lease/LeaseTimeToLive': [
    { readonly ID: Int64; readonly keys?: boolean },
    {
      readonly ID: Int64;
      readonly TTL: Int64;
      readonly grantedTTL: Int64;
      readonly keys: readonly Buffer[];
    },
  ];
  'Auth/Authenticate': [{ readonly name: string; readonly password: string }, { readonly token: string }];
  'Maintenance/Status': [
    object,
    {
      readonly header: ResponseHeader;
      readonly version: string;
      readonly dbSize: Int64;
      readonly leader: Int64;
      readonly errors: readonly string[];
    },
  ];
}

export type UnaryMethod = keyof UnaryMethods;
export type RequestOf<M extends UnaryMethod> = UnaryMethods[M][0];
export type ResponseOf<M extends UnaryMethod> = UnaryMethods[M][1];
