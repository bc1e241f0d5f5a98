import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';

/** https://github.com/grpc/grpc-proto/blob/master/grpc/health/v1/health.proto */
export const HEALTH_SERVICE = 'grpc.health.v1.Health';

export const SERVING_STATUS = { UNKNOWN: 0, SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } as const;
export type ServingStatus = (typeof SERVING_STATUS)[keyof typeof SERVING_STATUS];

export interface HealthCheckRequest {
  readonly service: string;
}

export interface HealthCheckResponse {
  readonly status: ServingStatus;
}

/** https://github.com/cncf/xds/blob/main/xds/data/orca/v3/orca_load_report.proto */
export interface OrcaLoadReport {
  readonly cpu_utilization: number;
  readonly application_utilization: number;
  readonly rps_fractional: number;
  readonly eps: number;
  readonly named_metrics: Readonly<Record<string, number>>;
}

const HEALTH: Readonly<Record<string, object>> = {
  HealthCheckRequest: { fields: { service: { type: 'string', id: 1 } } },
  ServingStatus: { values: SERVING_STATUS },
  HealthCheckResponse: { fields: { status: { type: 'ServingStatus', id: 1 } } },
  Health: {
    methods: {
      Check: { requestType: 'HealthCheckRequest', responseType: 'HealthCheckResponse' },
      Watch: { requestType: 'HealthCheckRequest', responseType: 'HealthCheckResponse', responseStream: true },
    },
  },
};

const double = (id: number): object => ({ type: 'double', id });
const doubles = (id: number): object => ({ keyType: 'string', type: 'double', id });
const ORCA: Readonly<Record<string, object>> = {
  OrcaLoadReport: {
    fields: {
      cpu_utilization: double(1),
      rps_fractional: double(6),
      eps: double(7),
      named_metrics: doubles(8),
      application_utilization: double(9),
    },
  },
  // There is no other way to the codec of a message than a method that has it.
  Codec: { methods: { Report: { requestType: 'OrcaLoadReport', responseType: 'OrcaLoadReport' } } },
};

const definitions = fromJSON(
  { nested: { 'grpc.health.v1': { nested: HEALTH }, 'xds.data.orca.v3': { nested: ORCA } } },
  { keepCase: true, enums: Number, defaults: true },
);

export const healthService = definitions[HEALTH_SERVICE] as ServiceDefinition;

const { Report: codec } = definitions['xds.data.orca.v3.Codec'] as unknown as {
  readonly Report: MethodDefinition<OrcaLoadReport, OrcaLoadReport>;
};

/** gRFC A51: what a server says of its load with each response. */
export const LOAD_TRAILER = 'endpoint-load-metrics-bin';

/** As in its trailer. */
export function encodeLoadReport(report: OrcaLoadReport): Buffer {
  return codec.requestSerialize(report);
}

/** @throws Error for bytes that are no report */
export function decodeLoadReport(bytes: Buffer): OrcaLoadReport {
  return codec.requestDeserialize(bytes);
}
