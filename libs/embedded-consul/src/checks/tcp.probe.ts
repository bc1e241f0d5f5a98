import { connect } from 'node:net';
import { critical, dialReason, passing, type Probe } from './probe.js';

const MAX_PORT = 65_535;

/** Passes when the connection stands. */
export function tcpProbe(address: string): Probe {
  return (signal) => {
    const [, host, port] = /^(.*):(\d+)$/.exec(address) ?? [];
    if (host === undefined || port === undefined) {
      return Promise.resolve(critical(`dial tcp: address ${address}: missing port in address`));
    }
    if (Number(port) > MAX_PORT) return Promise.resolve(critical(`dial tcp: address ${port}: invalid port`));
    return new Promise((resolve) => {
      const socket = connect({
        host: host.replace(/^\[|\]$/g, '') || '127.0.0.1',
        port: Number(port),
        signal,
      });
      const end = (result: ReturnType<typeof passing>): void => {
        socket.destroy();
        resolve(result);
      };
      socket.once('connect', () => end(passing(`TCP connect ${address}: Success`)));
      socket.once('error', (error) =>
        end(critical(signal.aborted ? `dial tcp ${address}: i/o timeout` : dialReason(error, address))),
      );
    });
  };
}
