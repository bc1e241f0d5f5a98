/** The result of one probe, in Consul's terms. */
export interface ProbeResult {
  readonly status: 'passing' | 'warning' | 'critical';
  readonly output: string;
}

export type Probe = (signal: AbortSignal) => Promise<ProbeResult>;

export const passing = (output: string): ProbeResult => ({ status: 'passing', output });
export const critical = (output: string): ProbeResult => ({ status: 'critical', output });

/** The reason of a failed dial, as Go words it. */
export function dialReason(error: unknown, address: string): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return `dial tcp ${address}: connect: connection refused`;
  if (code === 'ECONNRESET') return 'read: connection reset by peer';
  if (code === 'ENOTFOUND') return `dial tcp: lookup ${address.replace(/:\d+$/, '')}: no such host`;
  return `dial tcp ${address}: ${message}`;
}
