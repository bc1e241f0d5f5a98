import { randomUUID } from 'node:crypto';
import { ApiError } from '../http/api-error.js';
import type { IndexBook } from '../state/index-book.js';
import {
  accessTo,
  allows,
  parseRules,
  plainAccess,
  type Access,
  type Plain,
  type Resource,
  type Rules,
} from './rules.js';

export interface Policy {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly rules: string;
  /** Undefined: in all. */
  readonly datacenters: readonly string[] | undefined;
  readonly createIndex: number;
  readonly modifyIndex: number;
}

/** Stands for a policy with which a service registers itself and finds others. */
export interface ServiceIdentity {
  readonly ServiceName: string;
  readonly Datacenters?: readonly string[];
}

export interface Token {
  readonly accessor: string;
  readonly secret: string;
  readonly description: string;
  readonly policies: readonly string[];
  readonly identities: readonly ServiceIdentity[];
  readonly local: boolean;
  readonly createdAt: string;
  readonly expiration?: { readonly at: string; readonly clockMs: number };
  readonly createIndex: number;
  readonly modifyIndex: number;
}

/** The permissions of a token. */
export interface Authorizer {
  may(resource: Resource, name: string, wanted: 'read' | 'list' | 'write'): boolean;
  mayOperator(wanted: 'read' | 'write'): boolean;
  mayAcl(wanted: 'read' | 'write'): boolean;
}

export interface AclStoreOptions {
  readonly enabled: boolean;
  readonly managementToken: string | undefined;
  readonly defaultPolicy: 'allow' | 'deny';
  readonly datacenter: string;
  readonly nowMs: () => number;
}

/** Topics of the index book. */
export const POLICIES = 'acl-policies';
export const TOKENS = 'acl-tokens';

const EVERYTHING: Authorizer = { may: () => true, mayOperator: () => true, mayAcl: () => true };
export const MANAGEMENT_POLICY = '00000000-0000-0000-0000-000000000001';
export const ANONYMOUS_TOKEN = '00000000-0000-0000-0000-000000000002';
const ANONYMOUS = 'anonymous';
/** Of the first records of a server. */
const FIRST = { policy: 4, token: 5, anonymous: 6 };
const MANAGEMENT_RULES = `
acl = "write"
agent_prefix "" {
	policy = "write"
}
event_prefix "" {
	policy = "write"
}
key_prefix "" {
	policy = "write"
}
keyring = "write"
node_prefix "" {
	policy = "write"
}
operator = "write"
query_prefix "" {
	policy = "write"
}
service_prefix "" {
	policy = "write"
	intentions = "write"
}
session_prefix "" {
	policy = "write"
}`;

/** Policies and tokens; while ACLs are off everything is allowed. */
export class AclStore {
  readonly options: AclStoreOptions;
  readonly policies = new Map<string, Policy>();
  readonly #tokens = new Map<string, Token>();
  readonly #parsed = new Map<string, Rules>();
  readonly #indexes: IndexBook;
  /** The index at which the first management token was made; undefined: there is none yet. */
  bootstrapIndex: number | undefined;
  /** For faults: every token counts as missing. */
  denyEverything = false;

  constructor(options: AclStoreOptions, indexes: IndexBook) {
    this.options = options;
    this.#indexes = indexes;
    if (!options.enabled) return;
    const { policy, token, anonymous } = FIRST;
    this.putPolicy({
      id: MANAGEMENT_POLICY,
      name: 'global-management',
      description: 'Builtin Policy that grants unlimited access',
      rules: MANAGEMENT_RULES,
      datacenters: undefined,
      createIndex: policy,
      modifyIndex: policy,
    });
    if (options.managementToken) {
      this.bootstrapIndex = token;
      this.putToken({
        ...this.newToken(token),
        secret: options.managementToken,
        description: 'Master Token',
        policies: [MANAGEMENT_POLICY],
      });
    }
    this.putToken({
      ...this.newToken(anonymous),
      accessor: ANONYMOUS_TOKEN,
      secret: ANONYMOUS,
      description: 'Anonymous Token',
    });
  }

  get enabled(): boolean {
    return this.options.enabled;
  }

  /** By accessor. Those that have expired are there no more. */
  get tokens(): readonly Token[] {
    return [...this.#tokens.values()]
      .filter((token) => this.#isValid(token))
      .sort((a, b) => (a.accessor < b.accessor ? -1 : 1));
  }

  #isValid({ expiration }: Token): boolean {
    return expiration === undefined || expiration.clockMs > this.options.nowMs();
  }

  /** @throws RulesError for rules that Consul refuses */
  putPolicy(policy: Policy): void {
    const rules = parseRules(policy.rules);
    this.policies.set(policy.id, policy);
    this.#parsed.set(policy.id, rules);
    this.#indexes.changed(policy.modifyIndex, [POLICIES]);
  }

  deletePolicy(id: string): void {
    if (!this.policies.delete(id)) return;
    this.#parsed.delete(id);
    this.#indexes.changed(this.#indexes.next(), [POLICIES]);
  }

  policyNamed(name: string): Policy | undefined {
    return [...this.policies.values()].find((policy) => policy.name === name);
  }

  /** Of no right yet. */
  newToken(index: number): Token {
    return {
      accessor: randomUUID(),
      secret: randomUUID(),
      description: '',
      policies: [],
      identities: [],
      local: false,
      createdAt: new Date().toISOString(),
      createIndex: index,
      modifyIndex: index,
    };
  }

  putToken(token: Token): void {
    this.#tokens.set(token.accessor, token);
    this.#indexes.changed(token.modifyIndex, [TOKENS]);
  }

  deleteToken(accessor: string): void {
    if (!this.#tokens.delete(accessor)) return;
    this.#indexes.changed(this.#indexes.next(), [TOKENS]);
  }

  byAccessor(accessor: string): Token | undefined {
    const token = this.#tokens.get(accessor);
    return token && this.#isValid(token) ? token : undefined;
  }

  bySecret(secret: string): Token | undefined {
    for (const token of this.#tokens.values())
      if (token.secret === secret && this.#isValid(token)) return token;
    return undefined;
  }

  /** @throws ApiError 403 `ACL not found` for a token that does not exist */
  authorize(secret: string): Authorizer {
    if (this.denyEverything) return this.#of([], 'deny');
    if (!this.enabled) return EVERYTHING;
    const token = this.bySecret(secret || ANONYMOUS);
    if (!token) throw new ApiError(403, 'ACL not found');
    if (token.policies.includes(MANAGEMENT_POLICY)) return EVERYTHING;
    const { datacenter, defaultPolicy } = this.options;
    const isHere = (datacenters: readonly string[] | undefined): boolean =>
      datacenters === undefined || datacenters.length === 0 || datacenters.includes(datacenter);
    const rules = token.policies
      .filter((id) => isHere(this.policies.get(id)?.datacenters))
      .flatMap((id) => this.#parsed.get(id) ?? []);
    const identities = token.identities.filter(({ Datacenters }) => isHere(Datacenters));
    return this.#of([...rules, ...identities.map(identityRules)], defaultPolicy);
  }

  #of(rules: readonly Rules[], defaultPolicy: 'allow' | 'deny'): Authorizer {
    const fallback: Access = defaultPolicy === 'allow' ? 'write' : 'deny';
    const mayPlain = (resource: Plain, wanted: 'read' | 'write', otherwise: Access): boolean =>
      allows(plainAccess(rules, resource, otherwise), wanted);
    return {
      may: (resource, name, wanted) => allows(accessTo(rules, resource, name, fallback), wanted),
      mayOperator: (wanted) => mayPlain('operator', wanted, fallback),
      // The default policy never grants it.
      mayAcl: (wanted) => mayPlain('acl', wanted, 'deny'),
    };
  }
}

/** The policy that Consul makes of a service identity. */
function identityRules({ ServiceName }: ServiceIdentity): Rules {
  const service = (name: string) => ({ resource: 'service', name, prefix: false, access: 'write' }) as const;
  const readAll = (resource: 'service' | 'node') =>
    ({ resource, name: '', prefix: true, access: 'read' }) as const;
  return {
    named: [
      service(ServiceName),
      service(`${ServiceName}-sidecar-proxy`),
      readAll('service'),
      readAll('node'),
    ],
    plain: {},
  };
}
