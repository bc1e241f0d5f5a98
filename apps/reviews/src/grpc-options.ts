import { fileURLToPath } from 'node:url';
import { Transport, type GrpcOptions } from '@nestjs/microservices';

/** Where the server listens, and what it serves. Nest does not tell which port it was given: it has to be chosen. */
export function grpcOptions(port: number): GrpcOptions {
  return {
    transport: Transport.GRPC,
    options: {
      url: `0.0.0.0:${port}`,
      package: 'reviews',
      protoPath: fileURLToPath(new URL('../reviews.proto', import.meta.url)),
    },
  };
}
