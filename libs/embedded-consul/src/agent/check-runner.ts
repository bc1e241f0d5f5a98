import { grpcProbe } from '../checks/grpc.probe.js';
import { httpProbe } from '../checks/http.probe.js';
import { poll, thresholds } from '../checks/polling.js';
import type { Probe, ProbeResult } from '../checks/probe.js';
import { scriptProbe } from '../checks/script.probe.js';
import { tcpProbe } from '../checks/tcp.probe.js';
import type { ControllableClock } from '../time/controllable-clock.js';
import type { CheckBody } from './service-schema.js';

export const OUTPUT_MAX_SIZE = 4096;
const SHORTEST_INTERVAL_MS = 1_000;
const TIMEOUT_MS = 10_000;

/** The kind of a check, which Consul derives from its fields. */
export function checkType(check: CheckBody): 'http' | 'grpc' | 'tcp' | 'script' | 'alias' | 'ttl' {
  if (scriptOf(check).length > 0) return 'script';
  if (check.GRPC) return 'grpc';
  if (check.HTTP) return 'http';
  if (check.TCP) return 'tcp';
  return check.AliasNode || check.AliasService ? 'alias' : 'ttl';
}

/** Polls the service as long as the check exists; returns a function that ends it. Not for TTL and alias checks. */
export function runCheck(
  check: CheckBody,
  clock: ControllableClock,
  random: () => number,
  onResult: (result: ProbeResult) => void,
): () => void {
  const probe = probeOf(check);
  if (!probe) return () => undefined;
  return poll({
    clock,
    random,
    intervalMs: Math.max(check.Interval ?? 0, SHORTEST_INTERVAL_MS),
    timeoutMs: check.Timeout ?? TIMEOUT_MS,
    probe,
    onResult: thresholds(check.SuccessBeforePassing ?? 0, check.FailuresBeforeCritical ?? 0, onResult),
  });
}

function scriptOf({ Args = [], ScriptArgs = [] }: CheckBody): readonly string[] {
  return ScriptArgs.length > 0 ? ScriptArgs : Args;
}

function probeOf(check: CheckBody): Probe | undefined {
  const skipVerify = check.TLSSkipVerify ?? false;
  if (check.GRPC) return grpcProbe(check.GRPC, { use: check.GRPCUseTLS ?? false, skipVerify });
  if (check.HTTP) {
    return httpProbe({
      url: check.HTTP,
      method: check.Method ?? '',
      headers: check.Header ?? {},
      body: check.Body ?? '',
      tlsSkipVerify: skipVerify,
      outputMaxSize: outputLimit(check),
    });
  }
  if (check.TCP) return tcpProbe(check.TCP);
  const script = scriptOf(check);
  return script.length > 0 ? scriptProbe(script, outputLimit(check)) : undefined;
}

/** A check may lower the limit of its output; raising it is for the agent's configuration. */
export function outputLimit({ OutputMaxSize = 0 }: CheckBody): number {
  return OutputMaxSize > 0 ? Math.min(OutputMaxSize, OUTPUT_MAX_SIZE) : OUTPUT_MAX_SIZE;
}

/** Truncated to this many bytes, with a note. */
export function cutOutput(output: string, limit: number): string {
  const bytes = Buffer.from(output);
  if (bytes.length <= limit) return output;
  return `${bytes.subarray(0, limit).toString()} ... (captured ${limit} of ${bytes.length} bytes)`;
}
