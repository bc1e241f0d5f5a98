import type { CallCredentials, ChannelCredentials, ChannelOptions } from '@grpc/grpc-js';
import type { Certificates } from '@rookery/discovery';
import { toTlsOptions, type TlsSettings } from '@rookery/discovery/adapter';
import type { Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { installed, type GrpcUri, type SecureConnector } from './experimental-api.js';

/** Among the options of a connection, which are compared one by one. */
const TLS = 'rookery.tls';
const CERTIFICATES = 'rookery.certificates';

/** Options of a connection, by which the credentials know how it is secured, and with which certificates. */
export function securedBy(tls: TlsSettings, certificates: Certificates | undefined): ChannelOptions {
  return { [TLS]: tls, [CERTIFICATES]: certificates };
}

/** Of the channels of an app that is part of a mesh: to servers that are part of it with mutual TLS, and to others without TLS. */
class MeshCredentials extends installed.ChannelCredentials {
  _isSecure(): boolean {
    return false;
  }

  _equals(other: ChannelCredentials): boolean {
    return other instanceof MeshCredentials;
  }

  _createSecureConnector(_: GrpcUri, options: ChannelOptions, given?: CallCredentials): SecureConnector {
    const callCredentials = given ?? installed.CallCredentials.createEmpty();
    const { [TLS]: tls, [CERTIFICATES]: certificates } = options as {
      readonly [TLS]?: TlsSettings;
      readonly [CERTIFICATES]?: Certificates;
    };
    return {
      connect: async (socket) =>
        tls ? { socket: await secured(socket, tls, certificates), secure: true } : { socket, secure: false },
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => callCredentials,
      destroy: () => undefined,
    };
  }
}

/**
 * For a stock client of an app that is part of a mesh, such as a Connect-native one: mutual TLS to servers that are part of it, and none to others. One object
 * for all channels, so that they share connections.
 *
 * @example
 * ```ts
 * options: { package: 'books', protoPath: PROTO, url: 'rookery:inventory', credentials: meshCredentials }
 * ```
 */
export const meshCredentials: ChannelCredentials = new MeshCredentials();

function secured(
  socket: Socket,
  tls: TlsSettings,
  certificates: Certificates | undefined,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const connecting = connect({ socket, ALPNProtocols: ['h2'], ...toTlsOptions(tls, certificates) });
    const onClose = (): void => reject(new Error('the connection ended during the TLS handshake'));
    connecting.once('error', reject);
    connecting.once('close', onClose);
    connecting.once('secureConnect', () => {
      connecting.removeListener('error', reject);
      connecting.removeListener('close', onClose);
      resolve(connecting);
    });
  });
}
