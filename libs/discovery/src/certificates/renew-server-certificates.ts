import { Logger } from '@nestjs/common';
import type { SecureContextOptions, Server } from 'node:tls';
import { errorMessage } from '../errors/error-message.js';
import { systemClock, type Clock } from '../timing/clock.js';
import { CertificateFiles, type CertificatePaths } from './certificate-files.js';
import type { CertificateSource } from './certificate-source.js';
import { toContextOptions } from './tls-settings.js';

const LOOK_INTERVAL_MS = 1_000;
const logger = new Logger('ServerCertificates');

export interface RenewServerOptions {
  /** Of the TLS of the server, such as `minVersion`: a new certificate comes with all of them. Default: those of Node. */
  readonly context?: Omit<SecureContextOptions, 'ca' | 'cert' | 'key'>;
  /** @internal */
  readonly clock?: Clock;
}

/**
 * Gives an HTTPS server the certificate that its files, or a source of your own, have at present, and each later one within a second: new connections
 * show it, and those that are open stay. Files that cannot be used are said in the log, once, and the last ones stay in use.
 *
 * @example
 * ```ts
 * renewServerCertificates(app.getHttpServer(), { certFile: '/tls/tls.crt', keyFile: '/tls/tls.key' });
 * ```
 * @returns ends it; so does the end of the server
 * @throws Error when the files cannot be read, or do not fit
 */
export function renewServerCertificates(
  server: Server,
  from: CertificatePaths | CertificateSource,
  { context = {}, clock = systemClock }: RenewServerOptions = {},
): () => void {
  const source = 'current' in from ? from : filesOf(from, clock);
  let used: unknown;
  let problem: string | undefined;
  let cancel: () => void = () => undefined;
  const renew = (): void => {
    const certificates = source.current();
    if (certificates === used) return;
    server.setSecureContext({ ...context, ...toContextOptions(certificates) });
    used = certificates;
    problem = undefined;
  };
  const look = (): void => {
    try {
      renew();
    } catch (error) {
      const now = errorMessage(error);
      if (now !== problem) logger.warn(`the last certificates stay in use: ${now}`);
      problem = now;
    }
    cancel = clock.after(LOOK_INTERVAL_MS, look);
  };
  renew();
  cancel = clock.after(LOOK_INTERVAL_MS, look);
  const end = (): void => cancel();
  server.once('close', end);
  return () => {
    server.removeListener('close', end);
    end();
  };
}

function filesOf(paths: CertificatePaths, clock: Clock): CertificateSource {
  return new CertificateFiles(paths, { clock, warn: (message) => logger.warn(message) });
}
