import type { ConsulAnswer } from '../consul-response.js';
import { segment, type ConsulRequester } from '../consul-requester.js';
import type { ConsulListOptions, ConsulReadOptions, ConsulRequestOptions } from '../request-options.js';
import type { CatalogDeregistration, CatalogNode, CatalogService } from './types.js';

/** `/v1/catalog`: what the servers know, of all agents. */
export class CatalogApi {
  readonly #requester: ConsulRequester;

  constructor(requester: ConsulRequester) {
    this.#requester = requester;
  }

  /** Names of all services with the tags of their instances. */
  async services(options?: ConsulReadOptions): Promise<ConsulAnswer<Record<string, string[]>>> {
    return this.#requester.json('GET', '/v1/catalog/services', options, { shape: 'object' });
  }

  async service(
    name: string,
    options: ConsulListOptions & { tags?: readonly string[]; near?: string } = {},
  ): Promise<ConsulAnswer<CatalogService[]>> {
    return this.#requester.json('GET', `/v1/catalog/service/${segment(name, 'name')}`, options, {
      shape: 'array',
      query: { near: options.near },
      tags: options.tags ?? [],
    });
  }

  async nodes(options?: ConsulListOptions): Promise<ConsulAnswer<CatalogNode[]>> {
    return this.#requester.json('GET', '/v1/catalog/nodes', options, { shape: 'array' });
  }

  async datacenters(options?: ConsulRequestOptions): Promise<ConsulAnswer<string[]>> {
    return this.#requester.json('GET', '/v1/catalog/datacenters', options, { shape: 'array' });
  }

  /** For what no agent holds any more; what an agent holds, it puts back. */
  async deregister(entry: CatalogDeregistration, options?: ConsulRequestOptions): Promise<void> {
    await this.#requester.nothing('PUT', '/v1/catalog/deregister', options, { body: entry });
  }
}
