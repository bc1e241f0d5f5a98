import { has, type ApiRequest } from '../http/api-request.js';

/** These parameters choose how to wait, or filter a cached response: they are not part of the cache key. */
const NO_PART_OF_THE_KEY: ReadonlySet<string> = new Set(['cached', 'index', 'wait', 'passing', 'stale']);
/** It has no instances to choose from. */
const NO_PART_FOR_NAMES: ReadonlySet<string> = new Set(['tag', 'near']);

/**
 * Which reads the agent's cache would contain. The embedded agent needs no cache, so this only affects the headers:
 * a hit is a read that was made before and is answered without waiting.
 */
export class ReadCache {
  readonly #keys = new Set<string>();

  headers(request: ApiRequest, path: string, token: string, answeredAtOnce = true): Record<string, string> {
    if (!has(request, 'cached')) return {};
    const isNames = path === 'catalog/services';
    const parts = [...request.query].filter(
      ([name]) => !NO_PART_OF_THE_KEY.has(name) && !(isNames && NO_PART_FOR_NAMES.has(name)),
    );
    const key = JSON.stringify([path, request.rest, token, parts.sort()]);
    const isHit = this.#keys.has(key) && answeredAtOnce;
    this.#keys.add(key);
    return isHit ? { 'X-Cache': 'HIT', Age: '0' } : { 'X-Cache': 'MISS' };
  }

  clear(): void {
    this.#keys.clear();
  }
}
