/** What to change when no connection to a member can be established, by the text of grpc-js, which has that of Node or OpenSSL. */
export function connectionHint(text: string): string {
  return HINTS.find(([pattern]) => pattern.test(text))?.[1] ?? QUESTION;
}

const QUESTION = 'Is etcd listening there? See endpoints, or ETCDCTL_ENDPOINTS';

const HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /wrong version number|packet length too long|http_request|disconnected before secure TLS/i,
    'The member does not speak TLS at this port: use http:// in endpoints or ETCDCTL_ENDPOINTS, and leave out tls',
  ],
  [
    /self.signed|unable to (verify|get).*(issuer|certificate)|CERT_UNTRUSTED|unable to verify/i,
    "The member's certificate is signed by an authority that is not trusted here: set tls.caFile or ETCDCTL_CACERT",
  ],
  [
    /altname|ALTNAME_INVALID/i,
    "The member's certificate is for another name: set tls.serverName to one that it has",
  ],
  [/expired|not yet valid/i, "The member's certificate is not valid now: renew it, or set the clock"],
  [
    /certificate required|bad certificate|handshake failure|alert number 4[0-9]|alert number 116/i,
    'Does the member want a client certificate? Set tls.certFile and tls.keyFile, or ETCDCTL_CERT and ETCDCTL_KEY',
  ],
  [
    /socket hang up|ECONNRESET|Connection dropped|closed before|Failed to connect/i,
    // Also of a member without TLS, which closes before its answer to a handshake is read.
    'The member closed the connection: if it speaks TLS at this port, use https:// in endpoints; if not, use http:// in endpoints; or is it no etcd?',
  ],
];
