import type { ProxyRecord } from '../agent/proxy.js';

export type Tags = string[];
export type Meta = Record<string, string>;

export interface Weights {
  Passing: number;
  Warning: number;
}

export interface NodeRecord {
  ID: string;
  Node: string;
  Address: string;
  Datacenter: string;
  TaggedAddresses: Record<string, string> | null;
  Meta: Meta | null;
  CreateIndex: number;
  ModifyIndex: number;
}

export interface ServiceRecord {
  ID: string;
  Service: string;
  Tags: Tags;
  Address: string;
  TaggedAddresses?: Record<string, { Address: string; Port: number }>;
  Meta: Meta | null;
  Port: number;
  Weights: Weights;
  EnableTagOverride: boolean;
  Kind?: string;
  Proxy: ProxyRecord;
  Connect: Record<string, unknown>;
  CreateIndex: number;
  ModifyIndex: number;
}

export interface CheckRecord {
  Node: string;
  CheckID: string;
  Name: string;
  Status: string;
  Notes: string;
  Output: string;
  ServiceID: string;
  ServiceName: string;
  ServiceTags: Tags;
  Type: string;
  Definition: Record<string, unknown>;
  CreateIndex: number;
  ModifyIndex: number;
}

type WithoutIndexes<T> = Omit<T, 'CreateIndex' | 'ModifyIndex'>;
export type NewNode = WithoutIndexes<NodeRecord>;
export type NewService = WithoutIndexes<ServiceRecord>;
export type NewCheck = WithoutIndexes<CheckRecord>;

/** Fields in the order in which Consul writes them. */
export function renderService(service: ServiceRecord): Record<string, unknown> {
  const { ID, Service, Tags, Address, TaggedAddresses, Meta, Port, Weights, EnableTagOverride, Kind } =
    service;
  return {
    ...(Kind ? { Kind } : {}),
    ID,
    Service,
    Tags,
    Address,
    ...(TaggedAddresses ? { TaggedAddresses } : {}),
    Meta,
    Port,
    Weights,
    EnableTagOverride,
    Proxy: service.Proxy,
    Connect: service.Connect,
    CreateIndex: service.CreateIndex,
    ModifyIndex: service.ModifyIndex,
  };
}

export function renderCatalogService(node: NodeRecord, service: ServiceRecord): Record<string, unknown> {
  return {
    ID: node.ID,
    Node: node.Node,
    Address: node.Address,
    Datacenter: node.Datacenter,
    TaggedAddresses: node.TaggedAddresses,
    NodeMeta: node.Meta,
    ServiceKind: service.Kind ?? '',
    ServiceID: service.ID,
    ServiceName: service.Service,
    ServiceTags: service.Tags,
    ServiceAddress: service.Address,
    ...(service.TaggedAddresses ? { ServiceTaggedAddresses: service.TaggedAddresses } : {}),
    ServiceWeights: service.Weights,
    ServiceMeta: service.Meta ?? {},
    ServicePort: service.Port,
    ServiceEnableTagOverride: service.EnableTagOverride,
    ServiceProxy: service.Proxy,
    ServiceConnect: service.Connect,
    CreateIndex: service.CreateIndex,
    ModifyIndex: service.ModifyIndex,
  };
}
