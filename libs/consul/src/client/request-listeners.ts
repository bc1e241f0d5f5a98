import { RegistryListeners, type RegistryRequest } from '@rookery/discovery/adapter';
import { BLOCKING, type Lane } from './connection-budget.js';

/** Endpoints that are told apart by their third part; of all others it is a name, a key or an id. */
const DEEP = /^agent\/(service|check)$/;
const SHALLOW: ReadonlySet<string> = new Set(['kv', 'txn', 'query']);
const ACTIONS: ReadonlySet<string> = new Set([
  ...['register', 'deregister', 'maintenance', 'pass', 'warn', 'fail', 'update'],
]);

/** What a listener hears of a request. */
interface ReportedCall {
  readonly method: string;
  readonly path: string;
  readonly lane: Lane;
  readonly query: URLSearchParams;
}

/** The listeners to the requests of a client. */
export class RequestListeners extends RegistryListeners<RegistryRequest> {
  constructor() {
    super('ConsulClient');
  }

  ended(
    { method, path, lane, query }: ReportedCall,
    durationMs: number,
    status: number | undefined,
    error: unknown,
  ): void {
    const isBlocking = BLOCKING.has(lane) && (query.has('index') || query.has('hash'));
    this.tell({ operation: operationOf(method, path), isBlocking, durationMs, status, error });
  }
}

/** `GET /v1/health/service/orders` → `GET health/service`: what is asked for, without the names in it. */
export function operationOf(method: string, path: string): string {
  const [, , first = '', second = '', third = ''] = path.split('/');
  // Below these are keys and ids at once.
  if (SHALLOW.has(first)) return `${method} ${first}`;
  const endpoint = second === '' ? first : `${first}/${second}`;
  return DEEP.test(endpoint) && ACTIONS.has(third)
    ? `${method} ${endpoint}/${third}`
    : `${method} ${endpoint}`;
}
