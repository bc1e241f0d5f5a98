export type AclResource = 'service' | 'node' | 'key' | 'session' | 'agent' | 'query' | 'event';

/** A right that a policy of Consul can give. */
export interface AclRight {
  readonly resource: AclResource;
  readonly access: 'read' | 'write';
  /** The name of one object; with `isPrefix`, what the names of all begin with. */
  readonly name: string;
  /** Default: false. */
  readonly isPrefix?: boolean;
}

/** The rule that gives a right, as it is written in a policy. */
export function ruleOf({ resource, access, name, isPrefix = false }: AclRight): string {
  return `${resource}${isPrefix ? '_prefix' : ''} ${JSON.stringify(name)} { policy = "${access}" }`;
}

/** What a token needs to see the instances of a service. */
export function discoveryRights(service: string): readonly [service: AclRight, nodes: AclRight] {
  return [
    { resource: 'service', access: 'read', name: service },
    // The nodes of its instances are not known before they are seen.
    { resource: 'node', access: 'read', name: '', isPrefix: true },
  ];
}
