import type { AclResource, AclRight } from './acl-right.js';

/** What is known of a request that was denied. */
export interface DeniedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: string | Uint8Array | undefined;
}

/** Up to 1.10, and later: the wording of the one error that names the right. */
const NAMED = [
  /Missing (?<resource>\w+):(?<access>read|write) on (?<name>\S+)/,
  /lacks permission '(?<resource>\w+):(?<access>read|write)' on "(?<name>[^"]*)"/,
];
const RESOURCES: ReadonlySet<string> = new Set<AclResource>([
  'service',
  'node',
  'key',
  'session',
  'agent',
  'query',
  'event',
]);

/**
 * The right that a request lacked. Most errors of Consul say only that permission was denied.
 *
 * @returns undefined: it is not known
 */
export function neededRight(request: DeniedRequest, text: string): AclRight | undefined {
  return namedIn(text) ?? byPath(request);
}

function namedIn(text: string): AclRight | undefined {
  for (const pattern of NAMED) {
    const { resource = '', access, name = '' } = pattern.exec(text)?.groups ?? {};
    if (RESOURCES.has(resource)) {
      return {
        resource: resource as AclResource,
        access: access as AclRight['access'],
        name: name.replace(/^"|"$/g, ''),
      };
    }
  }
  return undefined;
}

const LEAF = 'connect/ca/leaf/';

function byPath({ method, path, query, body }: DeniedRequest): AclRight | undefined {
  const access = method === 'GET' ? 'read' : 'write';
  const [, , api = '', ...rest] = path.split('/');
  const name = decodeURIComponent(rest.join('/'));
  switch (api) {
    case 'agent':
      if (name === 'service/register') return { resource: 'service', access, name: nameIn(body) };
      if (name === 'connect/authorize') return { resource: 'service', access, name: nameIn(body, 'Target') };
      if (name.startsWith(LEAF))
        return { resource: 'service', access: 'write', name: name.slice(LEAF.length) };
      return /^(self|metrics|host|members)\b/.test(name) ? every('agent', access) : undefined;
    // With the right to register a service comes that to read its intentions.
    case 'connect':
      return { resource: 'service', access: 'write', name: query.get('name') ?? '' };
    case 'kv':
      return { resource: 'key', access, name, isPrefix: query.has('recurse') || query.has('keys') };
    case 'session':
      return every('session', access);
    case 'event':
      return { resource: 'event', access, name: name.replace(/^fire\//, '') };
    case 'query':
      return { resource: 'query', access, name: name.replace(/\/execute$/, '') };
    default:
      return undefined;
  }
}

/** The client does not know the name of the agent's node. */
function every(resource: AclResource, access: AclRight['access']): AclRight {
  return { resource, access, name: '', isPrefix: true };
}

function nameIn(body: DeniedRequest['body'], field = 'Name'): string {
  try {
    const { [field]: name } = JSON.parse(String(body)) as Record<string, unknown>;
    return typeof name === 'string' ? name : '';
  } catch {
    return '';
  }
}
