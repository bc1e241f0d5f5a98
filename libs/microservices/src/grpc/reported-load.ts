import { Buffer } from 'node:buffer';
import type { Metadata } from '@grpc/grpc-js';
import { decodeLoadReport, LOAD_TRAILER } from './serving/standard-services.js';

/** Longer ones are not read. */
const MAX_BYTES = 2_000;

/**
 * Calls under way at the server of a response, from its trailers (gRFC A51).
 *
 * `createMetricsReader` of @grpc/grpc-js does the same, and reads its definitions from files for each response (1.14.7).
 *
 * @returns undefined: it does not say, or what it says cannot be read
 */
export function reportedInFlight(trailers: Metadata): number | undefined {
  const [report] = trailers.get(LOAD_TRAILER);
  if (!Buffer.isBuffer(report) || report.length > MAX_BYTES) return undefined;
  try {
    return decodeLoadReport(report).named_metrics.in_flight;
  } catch {
    return undefined;
  }
}
