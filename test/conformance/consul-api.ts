/** A response without what may differ between agents. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

const COMPARED_HEADERS = [
  'allow',
  'content-type',
  'content-security-policy',
  'location',
  'x-consul-effective-consistency',
  'x-consul-knownleader',
  'x-consul-reason',
  'x-content-type-options',
];
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
/** Which entry of its log the servers had come to, which is a matter of time. */
export const RESET_INDEX = /reset index: \d+/;
/** Numbers and times that the agents count for themselves. */
const OWN_FIELDS: ReadonlySet<string> = new Set([
  'CreateIndex',
  'ModifyIndex',
  'ContentHash',
  'Hash',
  'CreateTime',
  'ExpirationTime',
  'LTime',
  'TaggedAddresses',
]);
const LONGEST_WAIT_MS = 15_000;

/** One agent, as the conformance cases see it: an address, and a token if it has ACLs. */
export class ConsulApi {
  constructor(
    readonly url: string,
    readonly token?: string,
  ) {}

  /** The raw response: headers as they are, the body parsed where it is JSON. */
  async raw(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; headers: Headers; text: string; json: unknown }> {
    const response = await fetch(this.url + path, {
      method,
      redirect: 'manual',
      headers: { ...(this.token ? { 'x-consul-token': this.token } : {}), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(LONGEST_WAIT_MS),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: parse(text) };
  }

  /** The response as it is compared. */
  async ask(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer> {
    const answer = await this.raw(method, path, body, headers);
    const compared = COMPARED_HEADERS.flatMap((name) => {
      const value = answer.headers.get(name);
      return value === null ? [] : [[name, value] as const];
    });
    return {
      status: answer.status,
      headers: Object.fromEntries(compared),
      body:
        answer.json === undefined
          ? answer.text.replace(UUID, '<uuid>').replace(RESET_INDEX, 'reset index: <index>')
          : normalize(inOrder(path, answer.json)),
    };
  }

  /** The index of a read, to block on. */
  async index(path: string): Promise<number> {
    return Number((await this.raw('GET', path)).headers.get('x-consul-index'));
  }

  /** Removes everything that a case may have left. */
  async clean(): Promise<void> {
    const names = async (path: string): Promise<string[]> =>
      Object.keys((await this.raw('GET', path)).json as object);
    await this.raw('PUT', '/v1/agent/maintenance?enable=false');
    for (const id of await names('/v1/agent/services')) {
      await this.raw('PUT', `/v1/agent/service/deregister/${encodeURIComponent(id)}`);
    }
    for (const id of await names('/v1/agent/checks')) {
      await this.raw('PUT', `/v1/agent/check/deregister/${encodeURIComponent(id)}`);
    }
    for (const { ID } of (await this.raw('GET', '/v1/session/list')).json as { ID: string }[]) {
      await this.raw('PUT', `/v1/session/destroy/${ID}`);
    }
    for (const { ID } of (await this.raw('GET', '/v1/query')).json as { ID: string }[]) {
      await this.raw('DELETE', `/v1/query/${ID}`);
    }
    for (const { Node } of (await this.raw('GET', '/v1/catalog/nodes')).json as { Node: string }[]) {
      if (Node !== NODE) await this.raw('PUT', '/v1/catalog/deregister', { Node });
    }
    await this.raw('DELETE', '/v1/kv/?recurse');
    if (this.token) await this.#cleanAcl();
  }

  /** All but the management token, the anonymous one, and the policies that are built in. */
  async #cleanAcl(): Promise<void> {
    const own = (await this.raw('GET', '/v1/acl/token/self')).json as { AccessorID: string };
    const tokens = (await this.raw('GET', '/v1/acl/tokens')).json as { AccessorID: string }[];
    const kept = new Set([own.AccessorID, ANONYMOUS]);
    for (const { AccessorID } of tokens)
      if (!kept.has(AccessorID)) await this.raw('DELETE', `/v1/acl/token/${AccessorID}`);
    const anonymous = { AccessorID: ANONYMOUS, Description: 'Anonymous Token' };
    await this.raw('PUT', `/v1/acl/token/${ANONYMOUS}`, anonymous);
    const policies = (await this.raw('GET', '/v1/acl/policies')).json as { ID: string; Name: string }[];
    for (const { ID, Name } of policies)
      if (Name !== 'global-management') await this.raw('DELETE', `/v1/acl/policy/${ID}`);
  }
}

const ANONYMOUS = '00000000-0000-0000-0000-000000000002';

/** Both agents have this node name and id, so that their responses are the same. */
export const NODE = 'conformance';
export const NODE_ID = '7c1f5d62-94d3-4f0e-8b1a-3d9f0a6b2c11';

/** What comes out of a Go map, or by random ids, in an order of ours: tags of service names, policies, tokens. */
function inOrder(path: string, json: unknown): unknown {
  const key = /^\/v1\/acl\/(policies|tokens)/.exec(path)?.[1] === 'tokens' ? 'Description' : 'Name';
  if (path.startsWith('/v1/acl/') && Array.isArray(json))
    return (json as Record<string, string>[]).toSorted((a, b) => ((a[key] ?? '') < (b[key] ?? '') ? -1 : 1));
  if (!path.startsWith('/v1/catalog/services') || typeof json !== 'object' || json === null) return json;
  return Object.fromEntries(
    Object.entries(json as Record<string, string[]>).map(([name, tags]) => [name, [...tags].sort()]),
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function normalize(value: unknown): unknown {
  if (typeof value === 'string') return value === NODE_ID ? value : value.replace(UUID, '<uuid>');
  if (Array.isArray(value)) return value.map(normalize);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !OWN_FIELDS.has(key))
      .map(([key, inner]) => [key, normalize(inner)]),
  );
}
