/** The identity of a service, as the URI in its certificate says it. */
export interface SpiffeId {
  readonly trustDomain: string;
  /** `default` where Consul has none. */
  readonly partition: string;
  readonly namespace: string;
  readonly datacenter: string;
  readonly service: string;
}

/** As Consul writes it: `spiffe://<trust domain>[/ap/<partition>]/ns/<namespace>/dc/<datacenter>/svc/<service>`. */
const SERVICE_URI =
  /^spiffe:\/\/(?<trustDomain>[^/?#@:]+)(?:\/ap\/(?<partition>[^/]+))?\/ns\/(?<namespace>[^/]+)\/dc\/(?<datacenter>[^/]+)\/svc\/(?<service>[^/?#]+)$/;

/** @returns undefined: it is not the URI of a service, such as that of an agent or of an authority */
export function parseSpiffeId(uri: string): SpiffeId | undefined {
  const found = SERVICE_URI.exec(uri)?.groups;
  if (!found) return undefined;
  try {
    const part = (name: string): string => decodeURIComponent(found[name] ?? 'default');
    return {
      trustDomain: part('trustDomain').toLowerCase(),
      partition: part('partition'),
      namespace: part('namespace'),
      datacenter: part('datacenter'),
      service: part('service'),
    };
  } catch {
    // A percent sign that encodes nothing.
    return undefined;
  }
}

/**
 * The identity in a certificate, by its alternative names as Node writes them: `DNS:a, URI:b`. An X.509-SVID of SPIFFE has exactly one URI.
 *
 * @returns undefined: there is none, or more than one
 */
export function spiffeIdOf(alternativeNames: string | undefined): SpiffeId | undefined {
  // Node quotes a name that could be taken for two (CVE-2021-44532): no authority gives one to a service.
  if (alternativeNames?.includes('"')) return undefined;
  const uris = (alternativeNames ?? '').split(', ').filter((name) => name.startsWith('URI:'));
  const [uri] = uris;
  return uri === undefined || uris.length > 1 ? undefined : parseSpiffeId(uri.slice('URI:'.length));
}
