/** Why a check of an app that is healthy may fail, from what the registry says about it, and what to change. */
export function likelyCause(output: string): string {
  return CAUSES.find(([pattern]) => pattern.test(output))?.[1] ?? UNKNOWN_CAUSE;
}

const UNKNOWN_CAUSE = "try the check from the registry's host, as it is described in its notes";

/** The texts of Consul and of Go's HTTP client, gRPC client and network errors. */
const CAUSES: readonly (readonly [RegExp, string])[] = [
  [
    /\b(401|403)\b|Unauthenticated|PermissionDenied/,
    'the path wants authorization: exclude it from your guards and middleware, or set service.check.headers',
  ],
  [
    /\b404\b|Unimplemented/,
    'nothing answers at that path: a prefix or a proxy may change it; see health.path and service.check.path',
  ],
  [
    /\b(301|302|307|308)\b/,
    'it is redirected, perhaps to HTTPS: see service.check.type and service.check.url',
  ],
  [/\b429\b/, 'a rate limit applies to the path: exclude it'],
  [
    /\b50[0-4]\b/,
    'the path itself answers so: it is a route of your own, or a proxy in front cannot reach the app',
  ],
  [
    /x509|tls:|certificate|HTTP response to HTTPS client|malformed HTTP/i,
    'TLS fails: see service.check.type (http or https) and service.check.tlsSkipVerify',
  ],
  [
    /connection refused|no such host|no route|unreachable/i,
    'nothing listens at that address as the registry sees it: see service.address and the host of app.listen()',
  ],
  [
    /deadline exceeded|timed? ?out|timeout/i,
    'no answer in time: a firewall between the registry and the app, or service.check.timeout is too short',
  ],
  [
    /TTL expired/,
    'heartbeats do not arrive in time: is the event loop blocked, or service.check.ttl too short?',
  ],
];
