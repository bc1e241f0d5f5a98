import { isIP } from 'node:net';
import { connect } from 'node:tls';
import { PROBE_TIMEOUT_MS } from './tcp-probe.js';

/** Whether a server speaks TLS, whoever signed its certificate, and whether or not it wants one of its clients. Nothing is sent. */
export function speaksTls(
  host: string,
  port: number,
  protocols: string[],
  timeoutMs = PROBE_TIMEOUT_MS,
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({
      host,
      port,
      ALPNProtocols: protocols,
      // Nothing is told to it, and nothing is believed.
      rejectUnauthorized: false,
      ...(isIP(host) === 0 ? { servername: host } : {}),
    });
    const end = (isTls: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(isTls);
    };
    const timer = setTimeout(() => end(false), timeoutMs);
    socket.once('secureConnect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
  });
}
