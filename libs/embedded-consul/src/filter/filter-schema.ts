/** The shape of what is filtered: which selectors exist, and how their values are compared. */
export type FilterField =
  'string' | 'int' | 'bool' | { list: FilterField } | { map: FilterField } | { fields: FilterFields };
export type FilterFields = Readonly<Record<string, FilterField>>;

const strings: FilterField = { list: 'string' };
const map: FilterField = { map: 'string' };
const taggedAddresses: FilterField = { map: { fields: { Address: 'string', Port: 'int' } } };
const weights: FilterField = { fields: { Passing: 'int', Warning: 'int' } };

const check: FilterFields = {
  Node: 'string',
  CheckID: 'string',
  Name: 'string',
  Status: 'string',
  Notes: 'string',
  Output: 'string',
  ServiceID: 'string',
  ServiceName: 'string',
  ServiceTags: strings,
};
const node: FilterFields = {
  ID: 'string',
  Node: 'string',
  Address: 'string',
  Datacenter: 'string',
  TaggedAddresses: map,
  Meta: map,
};
const service: FilterFields = {
  Kind: 'string',
  ID: 'string',
  Service: 'string',
  Tags: strings,
  Address: 'string',
  TaggedAddresses: taggedAddresses,
  Meta: map,
  Port: 'int',
  Weights: weights,
  EnableTagOverride: 'bool',
};

export const healthEntryFields: FilterFields = {
  Node: { fields: node },
  Service: { fields: service },
  Checks: { list: { fields: check } },
};
export const checkFields = check;
export const nodeFields = node;
export const agentServiceFields = service;
export const catalogServiceFields: FilterFields = {
  ID: 'string',
  Node: 'string',
  Address: 'string',
  Datacenter: 'string',
  TaggedAddresses: map,
  NodeMeta: map,
  ServiceKind: 'string',
  ServiceID: 'string',
  ServiceName: 'string',
  ServiceTags: strings,
  ServiceAddress: 'string',
  ServiceTaggedAddresses: taggedAddresses,
  ServiceWeights: weights,
  ServiceMeta: map,
  ServicePort: 'int',
  ServiceEnableTagOverride: 'bool',
};
