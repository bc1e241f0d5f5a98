import { randomUUID } from 'node:crypto';
import { ApiError } from '../http/api-error.js';
import { accessTo, allows, parseRules, type Access, type Resource, type Rules } from './rules.js';

export interface Policy {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly rules: string;
  readonly createIndex: number;
}

export interface Token {
  readonly accessor: string;
  readonly secret: string;
  readonly description: string;
  readonly policies: readonly string[];
  readonly local: boolean;
  readonly createdAt: string;
  readonly createIndex: number;
}

/** The permissions of a token. */
export interface Authorizer {
  may(resource: Resource, name: string, wanted: 'read' | 'list' | 'write'): boolean;
  mayOperator(wanted: 'read' | 'write'): boolean;
  mayAcl(wanted: 'read' | 'write'): boolean;
}

const EVERYTHING: Authorizer = { may: () => true, mayOperator: () => true, mayAcl: () => true };
const MANAGEMENT_POLICY = '00000000-0000-0000-0000-000000000001';
const DENY_ALL = 'deny' as const;

/** Policies and tokens; without a management token ACLs are off and everything is allowed. */
export class AclStore {
  readonly enabled: boolean;
  readonly policies = new Map<string, Policy>();
  readonly tokens = new Map<string, Token>();
  readonly #parsed = new Map<string, Rules>();
  bootstrapped = false;
  /** For faults: every token counts as missing. */
  denyEverything = false;

  constructor(options: { enabled: boolean; managementToken: string | undefined }) {
    this.enabled = options.enabled;
    this.policies.set(MANAGEMENT_POLICY, {
      id: MANAGEMENT_POLICY,
      name: 'global-management',
      description: 'Builtin Policy that grants unlimited access',
      rules: '',
      createIndex: 4,
    });
    if (options.managementToken)
      this.addToken({ secret: options.managementToken, policies: [MANAGEMENT_POLICY] });
  }

  addPolicy(policy: Policy): void {
    this.policies.set(policy.id, policy);
    this.#parsed.set(policy.id, parseRules(policy.rules));
  }

  addToken(token: Partial<Token>): Token {
    const whole: Token = {
      accessor: randomUUID(),
      secret: randomUUID(),
      description: '',
      policies: [],
      local: false,
      createdAt: new Date().toISOString(),
      createIndex: 0,
      ...token,
    };
    this.tokens.set(whole.secret, whole);
    return whole;
  }

  byAccessor(accessor: string): Token | undefined {
    return [...this.tokens.values()].find((token) => token.accessor === accessor);
  }

  /** @throws ApiError 403 `ACL not found` for a token that does not exist */
  authorize(secret: string): Authorizer {
    if (this.denyEverything) return this.#of([]);
    if (!this.enabled) return EVERYTHING;
    if (secret === '' || secret === 'anonymous') return this.#of([]);
    const token = this.tokens.get(secret);
    if (!token) throw new ApiError(403, 'ACL not found');
    return token.policies.includes(MANAGEMENT_POLICY) ? EVERYTHING : this.#of(token.policies);
  }

  #of(policies: readonly string[]): Authorizer {
    const rules = policies.flatMap((id) => this.#parsed.get(id) ?? []);
    const best = (pick: (rules: Rules) => Access): Access =>
      rules.map(pick).sort((a, b) => (allows(a, b === 'deny' ? 'read' : b) ? -1 : 1))[0] ?? DENY_ALL;
    return {
      may: (resource, name, wanted) => allows(accessTo(rules, resource, name, DENY_ALL), wanted),
      mayOperator: (wanted) =>
        allows(
          best(({ operator }) => operator),
          wanted,
        ),
      mayAcl: (wanted) =>
        allows(
          best(({ acl }) => acl),
          wanted,
        ),
    };
  }
}
