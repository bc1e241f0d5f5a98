import type { Metadata, ServerInterceptor } from '@grpc/grpc-js';
import type { LoadReport } from '@rookery/discovery';
import type { CallReceiver } from '@rookery/discovery/adapter';
import { installed } from '../experimental-api.js';
import { textsOf } from './metadata-texts.js';
import { encodeLoadReport, HEALTH_SERVICE, LOAD_TRAILER } from './standard-services.js';

/** Counts the calls of a server, and tells its callers about the load in the trailers of each. */
export function loadTrailer(receiver: CallReceiver): ServerInterceptor {
  return ({ path }, call) => {
    if (path.startsWith(`/${HEALTH_SERVICE}/`)) return new installed.ServerInterceptingCall(call);
    const end = receiver.begin();
    if (!end) return new installed.ServerInterceptingCall(call);
    let received: Metadata | undefined;
    return new installed.ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, toNext) => {
            received = metadata;
            toNext(metadata);
          },
          onCancel: () => end(false),
        }),
      sendStatus: (status, next) => {
        end(isFailure(status));
        const headers = received ? textsOf(received) : {};
        const report = receiver.loadReport(headers, addressOf(call.getPeer()));
        if (!report) {
          next(status);
          return;
        }
        const metadata = status.metadata?.clone() ?? new installed.Metadata();
        metadata.set(LOAD_TRAILER, encodeLoadReport(orcaReport(report)));
        next({ ...status, metadata });
      },
    });
  };
}

/** Of the server, and not of what it was asked. */
function isFailure({ code }: { readonly code?: unknown }): boolean {
  const { UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE, DATA_LOSS } =
    installed.status;
  const failures: readonly unknown[] = [
    ...[UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED],
    ...[INTERNAL, UNAVAILABLE, DATA_LOSS],
  ];
  return failures.includes(code);
}

function orcaReport(report: LoadReport): Parameters<typeof encodeLoadReport>[0] {
  const { cpuUtilization, applicationUtilization, callsPerSecond, failuresPerSecond, named } = report;
  return {
    cpu_utilization: cpuUtilization,
    application_utilization: applicationUtilization,
    rps_fractional: callsPerSecond,
    eps: failuresPerSecond,
    named_metrics: named,
  };
}

/** Undefined: a Unix domain socket. */
function addressOf(peer: string): string | undefined {
  const [, address] = /^(.+):\d+$/.exec(peer) ?? [];
  return address?.replace(/^\[|\]$/g, '');
}
