export type Access = 'deny' | 'read' | 'list' | 'write';
export type Resource = 'service' | 'node' | 'key' | 'session' | 'agent' | 'event' | 'query';

interface Rule {
  readonly resource: Resource;
  readonly name: string;
  readonly prefix: boolean;
  readonly access: Access;
}

export interface Rules {
  readonly named: readonly Rule[];
  /** Rules without a name: `acl`, `operator`, `keyring`. */
  readonly acl: Access;
  readonly operator: Access;
}

const BLOCK = /\b(service|node|key|session|agent|event|query)(_prefix)?\s+"([^"]*)"\s*\{([^}]*)\}/g;
const PLAIN = /\b(acl|operator)\s*=\s*"(deny|read|list|write)"/g;
const POLICY = /(?:policy)\s*=\s*"(deny|read|list|write)"/;
const RANK: Readonly<Record<Access, number>> = { deny: 0, read: 1, list: 2, write: 3 };

/** Reads rules as the documentation writes them in HCL. */
export function parseRules(text: string): Rules {
  const named: Rule[] = [];
  for (const [, resource, prefix, name, body] of text.matchAll(BLOCK)) {
    const access = POLICY.exec(body ?? '')?.[1] as Access | undefined;
    if (access)
      named.push({ resource: resource as Resource, name: name ?? '', prefix: prefix !== undefined, access });
  }
  const plain = new Map([...text.matchAll(PLAIN)].map(([, name, access]) => [name, access as Access]));
  return { named, acl: plain.get('acl') ?? 'deny', operator: plain.get('operator') ?? 'deny' };
}

/** The access that several policies grant together: the most specific name wins, and among equals a denial. */
export function accessTo(
  rules: readonly Rules[],
  resource: Resource,
  name: string,
  fallback: Access,
): Access {
  let best: Rule | undefined;
  for (const rule of rules.flatMap(({ named }) => named)) {
    if (rule.resource !== resource || !(rule.prefix ? name.startsWith(rule.name) : rule.name === name))
      continue;
    if (!best || isStronger(rule, best)) best = rule;
  }
  return best?.access ?? fallback;
}

function isStronger(a: Rule, b: Rule): boolean {
  if (a.prefix !== b.prefix) return !a.prefix;
  if (a.name.length !== b.name.length) return a.name.length > b.name.length;
  if (a.access === 'deny' || b.access === 'deny') return a.access === 'deny';
  return RANK[a.access] > RANK[b.access];
}

export function allows(access: Access, wanted: 'read' | 'list' | 'write'): boolean {
  return RANK[access] >= RANK[wanted];
}
