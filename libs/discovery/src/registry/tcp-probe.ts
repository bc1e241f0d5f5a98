import { connect } from 'node:net';

/**
 * What a probe of an instance found: it accepts connections (`reachable`), refuses them, does not react in time, says
 * itself that it is not ready, as an app does that is shutting down, or nothing could be found out (`unknown`).
 */
export type ProbeResult = 'reachable' | 'refused' | 'timeout' | 'not-ready' | 'unknown';

export interface TcpProbe {
  readonly result: Exclude<ProbeResult, 'not-ready'>;
  /** Why it is not reachable, for messages: an error code such as `ECONNREFUSED`, or how long nothing happened. */
  readonly reason: string;
}

export const PROBE_TIMEOUT_MS = 1_000;

/** Opens a TCP connection and closes it again. Rejects only for an address that cannot be dialled at all, such as port 70000. */
export function probeTcp(host: string, port: number, timeoutMs = PROBE_TIMEOUT_MS): Promise<TcpProbe> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (result: TcpProbe['result'], reason = ''): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ result, reason });
    };
    const timer = setTimeout(() => end('timeout', `no answer in ${timeoutMs} ms`), timeoutMs);
    socket.once('connect', () => end('reachable'));
    socket.once('error', (error: NodeJS.ErrnoException) =>
      end(probeResultOf(error), error.code ?? error.message),
    );
  });
}

/** Local trouble (no file descriptor left, a name that does not resolve, no route) says nothing about the instance. */
export function probeResultOf({ code }: NodeJS.ErrnoException): 'refused' | 'unknown' {
  return code === 'ECONNREFUSED' ? 'refused' : 'unknown';
}
