import type { ChannelCredentials, ChannelOptions } from '@grpc/grpc-js';
import type { Certificates } from '@rookery/discovery';
import { toTlsOptions, type TlsSettings } from '@rookery/discovery/adapter';
import { isIP, type Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { credentialsThat } from './experimental-api.js';

/** Among the options of a connection: channels share one where all options are the same. */
const HANDSHAKE = 'rookery.handshake';
const HANDSHAKE_MS = 2_000;

/** How connections to one address are secured. Its fields are private, since @grpc/grpc-js writes options into its traces. */
class Handshake {
  readonly #tls: TlsSettings;
  readonly #certificates: Certificates | undefined;
  readonly #host: string;

  constructor(tls: TlsSettings, certificates: Certificates | undefined, host: string) {
    this.#tls = tls;
    this.#certificates = certificates;
    this.#host = host;
  }

  secure(socket: Socket): Promise<TLSSocket> {
    const host = this.#host;
    const options = {
      ...{ socket, host, ALPNProtocols: ['h2'] },
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...toTlsOptions(this.#tls, this.#certificates),
    };
    return new Promise((resolve, reject) => {
      const secured = connect(options);
      const onClose = (): void => reject(new Error('the connection ended during the TLS handshake'));
      // What accepts connections and says nothing would keep all calls waiting.
      const timer = setTimeout(
        () => secured.destroy(new Error(`no TLS handshake within ${HANDSHAKE_MS} ms`)),
        HANDSHAKE_MS,
      );
      secured.once('close', () => clearTimeout(timer));
      secured.once('error', reject);
      secured.once('close', onClose);
      secured.once('secureConnect', () => {
        clearTimeout(timer);
        secured.removeListener('error', reject);
        secured.removeListener('close', onClose);
        resolve(secured);
      });
    });
  }
}

/** One for the same, and others for other certificates. */
const known = new WeakMap<
  TlsSettings,
  { readonly certificates: Certificates | undefined; readonly byHost: Map<string, Handshake> }
>();

/** The options of a connection to a host, by which the credentials know how to secure it. */
export function securedBy(
  tls: TlsSettings,
  certificates: Certificates | undefined,
  host: string,
): ChannelOptions {
  let present = known.get(tls);
  if (present?.certificates !== certificates || !present) {
    present = { certificates, byHost: new Map<string, Handshake>() };
    known.set(tls, present);
  }
  let handshake = present.byHost.get(host);
  if (!handshake) present.byHost.set(host, (handshake = new Handshake(tls, certificates, host)));
  return { [HANDSHAKE]: handshake };
}

/**
 * For a stock client whose address is the name of a service: TLS to instances that are registered as `secure`, with the certificates of `clients.tls`, or with
 * those of the mesh that both are part of, such as Consul Connect; and none to others. Certificates are renewed without a restart. `@GrpcServiceClient` and
 * `discoveryChannel` have it by default.
 *
 * @example
 * ```ts
 * const options = { package: 'books', protoPath: PROTO, url: 'rookery:inventory', credentials: discoveryCredentials };
 * ```
 */
export const discoveryCredentials: ChannelCredentials = credentialsThat(async (socket, options) => {
  const { [HANDSHAKE]: handshake } = options as { readonly [HANDSHAKE]?: Handshake };
  return handshake ? { socket: await handshake.secure(socket), secure: true } : { socket, secure: false };
});
