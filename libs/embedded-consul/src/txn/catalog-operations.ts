import type { Authorizer } from '../acl/acl-store.js';
import { newCheck, newService } from '../catalog/catalog.endpoints.js';
import type { Catalog } from '../catalog/catalog.js';
import {
  renderService,
  type NewCheck,
  type NewNode,
  type NewService,
  type ServiceRecord,
} from '../catalog/catalog-types.js';
import { goInt, goMap, goString, type GoStruct, type GoType } from '../json/go-json-decoder.js';
import { checkType, nodeServiceFields } from '../catalog/catalog-schema.js';

const indexes = { CreateIndex: goInt, ModifyIndex: goInt };

/** The operations of `/v1/txn` that are not on keys. */
export const catalogOperationTypes: Readonly<Record<'Node' | 'Service' | 'Check', GoStruct>> = {
  Node: operationType('NodeTxnOp', {
    Node: {
      kind: 'struct',
      name: 'api.Node',
      errorName: 'Node',
      fields: {
        ID: goString,
        Node: goString,
        Address: goString,
        Datacenter: goString,
        TaggedAddresses: goMap(goString),
        Meta: goMap(goString),
        ...indexes,
      },
    },
  }),
  Service: operationType('ServiceTxnOp', {
    Node: goString,
    Service: {
      kind: 'struct',
      name: 'api.AgentService',
      errorName: 'AgentService',
      fields: { ...nodeServiceFields, ContentHash: goString, ...indexes },
    },
  }),
  Check: operationType('CheckTxnOp', { Check: { ...checkType, name: 'api.HealthCheck' } }),
};

/** Named in errors. */
export function goVerb(kind: string): GoType {
  return { kind: 'string', name: `api.${kind}Op` };
}

function operationType(errorName: string, fields: GoStruct['fields']): GoStruct {
  return {
    kind: 'struct',
    name: `api.${errorName}`,
    errorName,
    fields: { Verb: goVerb(errorName.replace('TxnOp', '')), Namespace: goString, ...fields },
  };
}

interface Indexed {
  readonly ModifyIndex?: number;
}

/** As decoded. */
export interface CatalogOperationBody {
  readonly Node?: { readonly Verb?: string; readonly Node?: Partial<NewNode> & Indexed };
  readonly Service?: {
    readonly Verb?: string;
    readonly Node?: string;
    readonly Service?: Partial<NewService> & Indexed;
  };
  readonly Check?: { readonly Verb?: string; readonly Check?: Partial<NewCheck> & Indexed };
}

/** An operation on a record of the catalog, whatever kind of record it is. */
export interface CatalogOperation {
  readonly verb: string;
  mayBe(authorizer: Authorizer, wanted: 'read' | 'write'): boolean;
  /** Why it cannot be tried at all. */
  readonly problem: string | undefined;
  /** What it is called in an error, such as `service "web" on node "n1"`. */
  readonly title: string;
  readonly kind: 'Node' | 'Service' | 'Check';
  readonly wantedIndex: number;
  find(): { readonly ModifyIndex: number } | undefined;
  put(): void;
  remove(): void;
  /** Undefined: there is nothing to show. */
  render(): Record<string, unknown> | undefined;
}

export function catalogOperation(
  catalog: Catalog,
  body: CatalogOperationBody,
  datacenter: string,
): CatalogOperation | undefined {
  if (body.Node) return nodeOperation(catalog, body.Node, datacenter);
  if (body.Service) return serviceOperation(catalog, body.Service);
  return body.Check ? checkOperation(catalog, body.Check) : undefined;
}

function nodeOperation(
  catalog: Catalog,
  { Verb = '', Node: given = {} }: NonNullable<CatalogOperationBody['Node']>,
  datacenter: string,
): CatalogOperation {
  const { Node: name = '', ID = '', Address = '', TaggedAddresses = null, Meta = null } = given;
  const find: CatalogOperation['find'] = () => catalog.node(name);
  return {
    verb: Verb,
    kind: 'Node',
    title: `node ${JSON.stringify(name)}`,
    wantedIndex: given.ModifyIndex ?? 0,
    problem:
      Verb === 'get'
        ? undefined
        : name === ''
          ? 'Must provide node'
          : ID !== '' && ID.length !== 36
            ? 'Bad node ID: uuid string is wrong length'
            : undefined,
    mayBe: (authorizer, wanted) => authorizer.may('node', name, wanted),
    find,
    put: () =>
      catalog.register({
        nodeName: name,
        node: { ID, Node: name, Address, Datacenter: datacenter, TaggedAddresses, Meta },
      }),
    remove: () => catalog.deregister(name),
    render: () => ({ Node: find() }),
  };
}

function serviceOperation(
  catalog: Catalog,
  { Verb = '', Node: node = '', Service: given = {} }: NonNullable<CatalogOperationBody['Service']>,
): CatalogOperation {
  const name = given.Service ?? '';
  // A read wants the id itself.
  const id = given.ID || (Verb === 'get' ? '' : name);
  const find = (): ServiceRecord | undefined => catalog.servicesOf(node).find(({ ID }) => ID === id);
  return {
    verb: Verb,
    kind: 'Service',
    title: `service ${JSON.stringify(id)} on node ${JSON.stringify(node)}`,
    wantedIndex: given.ModifyIndex ?? 0,
    problem: Verb !== 'get' && given.ID && name === '' ? 'Must provide service name with ID' : undefined,
    mayBe: (authorizer, wanted) => authorizer.may('service', find()?.Service ?? name, wanted),
    find,
    put: () => {
      if (!catalog.node(node)) throw new Error('Missing node registration');
      if (id === '') throw new Error('failed inserting service: object missing primary index');
      catalog.register({ nodeName: node, node: undefined, service: newService(given, name) });
    },
    remove: () => catalog.deregister(node, { service: id }),
    render: () => {
      const found = find();
      if (!found) return undefined;
      // What was not given stays null here.
      return { Service: { ...renderService(found), Tags: found.Tags.length > 0 ? found.Tags : null } };
    },
  };
}

function checkOperation(
  catalog: Catalog,
  { Verb = '', Check: given = {} }: NonNullable<CatalogOperationBody['Check']>,
): CatalogOperation {
  const { Node: node = '', CheckID: id = '', ServiceID: service = '' } = given;
  const find = () => catalog.checksOf(node).find(({ CheckID }) => CheckID === id);
  const owner = () => catalog.servicesOf(node).find(({ ID }) => ID === service);
  return {
    verb: Verb,
    kind: 'Check',
    title: `check ${JSON.stringify(id)} on node ${JSON.stringify(node)}`,
    wantedIndex: given.ModifyIndex ?? 0,
    problem: undefined,
    mayBe: (authorizer, wanted) => {
      const name = owner()?.Service;
      return name === undefined
        ? authorizer.may('node', node, wanted)
        : authorizer.may('service', name, wanted);
    },
    find,
    put: () => {
      if (!catalog.node(node)) throw new Error('Missing node registration');
      if (id === '') throw new Error('failed inserting check: object missing primary index');
      if (service !== '' && !owner()) throw new Error('Missing service registration');
      catalog.register({
        nodeName: node,
        node: undefined,
        checks: [newCheck({ ...given, CheckID: id }, node)],
      });
    },
    remove: () => catalog.deregister(node, { check: id }),
    render: () => {
      const found = find();
      if (!found) return undefined;
      return { Check: { ...found, ServiceTags: found.ServiceTags.length > 0 ? found.ServiceTags : null } };
    },
  };
}

/** @returns why it failed, in the words of a transaction */
export function applyCatalogOperation(operation: CatalogOperation): string | undefined {
  const { verb, kind, title, wantedIndex } = operation;
  const found = operation.find();
  const isStale = wantedIndex === 0 ? found !== undefined : found?.ModifyIndex !== wantedIndex;
  try {
    switch (verb) {
      case 'get':
        return found ? undefined : `${title} doesn't exist`;
      case 'set':
        operation.put();
        return undefined;
      case 'cas':
        if (isStale) return `failed to set ${title}, index is stale`;
        // Consul swallows why a check could not be put here.
        if (kind === 'Check') putQuietly(operation);
        else operation.put();
        return undefined;
      case 'delete':
        operation.remove();
        return undefined;
      case 'delete-cas':
        if (found?.ModifyIndex !== wantedIndex) return `failed to delete ${title}, index is stale`;
        operation.remove();
        return undefined;
      default:
        return `unknown ${kind} verb ${JSON.stringify(verb)}`;
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function putQuietly(operation: CatalogOperation): void {
  try {
    operation.put();
  } catch {
    // The transaction succeeds, with no result for this operation.
  }
}
