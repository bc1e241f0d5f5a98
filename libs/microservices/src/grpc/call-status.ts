import type { StatusObject } from '@grpc/grpc-js';
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

/** Of a call that was not admitted. */
export function rejectionOf(
  { Metadata, status }: Pick<GrpcJs, 'Metadata' | 'status'>,
  error: unknown,
): StatusObject {
  return { code: status[rejectionStatus(error)], details: describe(error), metadata: new Metadata() };
}
