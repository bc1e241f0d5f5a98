import type { CheckDefinition, HealthCheck, ServiceDefinition } from '@rookery/consul';

/** What an app registers. */
export type ServiceBody = Pick<ServiceDefinition, 'Address'> &
  Required<Pick<ServiceDefinition, 'ID' | 'Name' | 'Port' | 'Tags' | 'Meta' | 'Checks'>>;

/** A check in the catalog, as JSON shows it. */
export interface CatalogCheck extends HealthCheck {
  readonly Definition: Readonly<Record<string, never>>;
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

export interface CatalogEntry {
  readonly node: string;
  readonly id: string;
  readonly service: string;
  /** Of `Node` and `Service`. */
  readonly json: Readonly<Record<string, unknown>>;
  readonly checks: readonly CatalogCheck[];
}

/** An instance in the catalog, with the fields that Consul has for it. */
export function entryOf(node: string, body: ServiceBody, output = ''): CatalogEntry {
  const [CreateIndex, ModifyIndex] = [100_000, 100_000];
  const lan = '10.10.10.10';
  const own = { Address: body.Address ?? '', Port: body.Port };
  const taggedAddresses = { lan, lan_ipv4: lan, wan: lan, wan_ipv4: lan };
  return {
    node,
    id: body.ID,
    service: body.Name,
    json: {
      Node: {
        ID: 'f2b8c8a4-53a1-4b0e-9c39-9f6fe2f2b9b1',
        Node: node,
        Address: lan,
        Datacenter: 'dc1',
        TaggedAddresses: taggedAddresses,
        Meta: { 'consul-network-segment': '' },
        CreateIndex,
        ModifyIndex,
      },
      Service: {
        ID: body.ID,
        Service: body.Name,
        Tags: body.Tags,
        Address: body.Address ?? '',
        TaggedAddresses: { lan_ipv4: own, wan_ipv4: own },
        Meta: body.Meta,
        Port: body.Port,
        Weights: { Passing: 1, Warning: 1 },
        EnableTagOverride: false,
        Proxy: { MeshGateway: {}, Expose: {} },
        Connect: {},
        CreateIndex,
        ModifyIndex,
      },
    },
    checks: [serfHealth(node), ...checksOf(node, body, output)],
  };
}

function serfHealth(node: string): CatalogCheck {
  return checkOf(
    node,
    { CheckID: 'serfHealth', Name: 'Serf Health Status' },
    'Agent alive and reachable',
    '',
  );
}

/** Those of an instance. @param output what they say */
export function checksOf(node: string, { ID, Name, Checks }: ServiceBody, output: string): CatalogCheck[] {
  return Checks.map((check) => ({
    ...checkOf(node, check, output, 'http'),
    ServiceID: ID,
    ServiceName: Name,
  }));
}

function checkOf(
  node: string,
  { CheckID = '', Name = '', Notes = '', Status = 'passing' }: CheckDefinition,
  Output: string,
  Type: string,
): CatalogCheck {
  return {
    ...{
      Node: node,
      CheckID,
      Name,
      Status,
      Notes,
      Output,
      ServiceID: '',
      ServiceName: '',
      ServiceTags: [],
    },
    ...{ Type, Definition: {}, CreateIndex: 100_000, ModifyIndex: 100_000 },
  };
}
