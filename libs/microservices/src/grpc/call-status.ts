import type { Metadata, StatusObject } from '@grpc/grpc-js';
import { DiscoveryError } from '@rookery/discovery';
import { errorMessage, rejectionStatus } from '@rookery/discovery/adapter';
import type { GrpcJs } from './experimental-api.js';

/** With our code: it is all that a status of gRPC has room for. */
export function describe(error: unknown): string {
  const code = error instanceof DiscoveryError ? `${error.code}: ` : '';
  return code + errorMessage(error);
}

/** As @grpc/grpc-js makes it. @returns undefined: the call succeeded */
export function errorOf(
  { status }: Pick<GrpcJs, 'status'>,
  { code, details, metadata }: StatusObject,
): Error | undefined {
  if (code === status.OK) return undefined;
  return Object.assign(new Error(`${code} ${status[code]}: ${details}`), { code, details, metadata });
}

/** That of statuses which no server has sent. */
const local = new WeakSet<Metadata>();

export function localMetadata({ Metadata }: Pick<GrpcJs, 'Metadata'>): Metadata {
  const metadata = new Metadata();
  local.add(metadata);
  return metadata;
}

/** It was made here, and no server has seen the call. */
export function isLocal({ metadata }: Pick<StatusObject, 'metadata'>): boolean {
  return local.has(metadata);
}

/** Of a call that was not admitted. */
export function rejectionOf(grpc: Pick<GrpcJs, 'Metadata' | 'status'>, error: unknown): StatusObject {
  return {
    code: grpc.status[rejectionStatus(error)],
    details: describe(error),
    metadata: localMetadata(grpc),
  };
}
