import type { ServerCredentials, ServerInterceptor } from '@grpc/grpc-js';
import { DiscoveryError } from '@rookery/discovery';
import { toContextOptions, type ChangingCertificates, type ServiceMesh } from '@rookery/discovery/adapter';
import type { SecureContextOptions } from 'node:tls';
import { installed, serverCredentialsOf } from '../experimental-api.js';

/** Of a server that shows the certificate of its service, and takes calls with one only: the present ones for each new connection. */
export function meshServerCredentials({ identity }: ServiceMesh): ServerCredentials {
  return serverCredentialsOf({
    current: () => contextOf(identity),
    onChange: (listener) => identity.onChange(listener),
  });
}

/**
 * Refuses calls whose caller may not call now, before any handler runs: for each call, since a connection may be older than what denies it.
 *
 * @throws DiscoveryError `RK_CONFIG_INVALID` for a version of @grpc/grpc-js whose servers do not tell which service calls
 */
export function meshGuard(mesh: ServiceMesh): ServerInterceptor {
  if (
    typeof (installed.ServerInterceptingCall.prototype as { getAuthContext?: unknown }).getAuthContext !==
    'function'
  )
    throw new DiscoveryError(
      'RK_CONFIG_INVALID',
      'connect.native: this @grpc/grpc-js does not tell a server which service calls it',
      {
        hint: 'npm install @grpc/grpc-js@1.14',
      },
    );
  return (_, call) => {
    const reason = mesh.denied(call.getAuthContext().sslPeerCertificate);
    if (reason === undefined) return new installed.ServerInterceptingCall(call);
    return new installed.ServerInterceptingCall(call, {
      start: () => {
        call.sendStatus({ code: installed.status.PERMISSION_DENIED, details: reason });
      },
    });
  };
}

function contextOf(identity: ChangingCertificates): SecureContextOptions {
  return { ...toContextOptions(identity.current()), minVersion: 'TLSv1.2' };
}
