import type { ChannelCredentials } from '@grpc/grpc-js';
import type { GrpcOptions } from '@nestjs/microservices';
import { invalidConfigError, nonEmptyString, validateOptions } from '@rookery/discovery/adapter';
import { z } from 'zod';
import type { GrpcCallOptions } from './grpc-call-options.js';

type OfNest = GrpcOptions['options'];

/** As for a gRPC client of Nest, without its address; and how it calls, as for `@ServiceClient`. */
export interface GrpcServiceClientOptions extends GrpcCallOptions {
  /** The service in the `.proto` file, such as `BooksService`. */
  service: string;
  /** Its package in the `.proto` file, or several. */
  package: string | string[];
  /** The `.proto` file, or several. */
  protoPath: string | string[];
  /** As of Nest: options of the package proto-loader. Default: none. */
  loader?: NonNullable<OfNest['loader']>;
  /** Default: TLS to instances that are registered as `secure`, by `clients.tls` or their mesh, and none to others. */
  credentials?: ChannelCredentials;
  /** As of Nest: options of channels, of the package grpc-js. Default: none. */
  channelOptions?: NonNullable<OfNest['channelOptions']>;
}

const names = z.union([nonEmptyString('must be a name'), z.array(nonEmptyString('must be a name')).min(1)]);
export const grpcServiceClientOptionsSchema = z.looseObject(
  {
    service: nonEmptyString("must be the name of a service in the .proto file, such as 'BooksService'"),
    package: names,
    protoPath: names,
  },
  {
    error:
      "must be an object such as { package: 'books', protoPath: 'books.proto', service: 'BooksService' }",
  },
);
/** Of calls over HTTP only. */
const NOT_HERE = ['hedge', 'attemptTimeout'] as const;

/** @throws DiscoveryError `RK_CONFIG_INVALID` with every issue; those of calls are found when the client is made */
export function assertGrpcServiceClient(service: unknown, options: GrpcServiceClientOptions): void {
  const issues = validateOptions(grpcServiceClientOptionsSchema, options);
  if (typeof service !== 'string' || service.trim() === '')
    issues.push({
      field: 'name',
      value: JSON.stringify(service),
      hint: 'must be the name of a registered service',
    });
  for (const field of NOT_HERE)
    if (typeof options === 'object' && field in options)
      issues.push({
        field,
        hint: 'has no effect on gRPC: channels make one attempt at a time, within the deadline',
      });
  if (issues.length > 0) throw invalidConfigError(`@GrpcServiceClient(${JSON.stringify(service)})`, issues);
}
