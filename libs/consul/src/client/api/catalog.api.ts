import type { ConsulResponse } from '../consul-response.js';
import { segment, type ConsulRequester } from '../consul-requester.js';
import type { ConsulListOptions, ConsulReadOptions, ConsulRequestOptions } from '../request-options.js';
import type { CatalogDeregistration, CatalogNode, CatalogService } from './types.js';

/** `/v1/catalog`: the servers' view of all agents. */
export class CatalogApi {
  readonly #requester: ConsulRequester;

  constructor(requester: ConsulRequester) {
    this.#requester = requester;
  }

  /** Names of all services with the tags of their instances. */
  async services(options?: ConsulReadOptions): Promise<ConsulResponse<Record<string, string[]>>> {
    return this.#requester.json('GET', '/v1/catalog/services', options, { shape: 'object' });
  }

  async service(
    name: string,
    options: ConsulListOptions & { tags?: readonly string[]; near?: string } = {},
  ): Promise<ConsulResponse<CatalogService[]>> {
    return this.#requester.json('GET', `/v1/catalog/service/${segment(name, 'name')}`, options, {
      shape: 'array',
      query: { near: options.near },
      tags: options.tags ?? [],
    });
  }

  async nodes(options?: ConsulListOptions): Promise<ConsulResponse<CatalogNode[]>> {
    return this.#requester.json('GET', '/v1/catalog/nodes', options, { shape: 'array' });
  }

  async datacenters(options?: ConsulRequestOptions): Promise<ConsulResponse<string[]>> {
    return this.#requester.json('GET', '/v1/catalog/datacenters', options, { shape: 'array' });
  }

  /** For a registration that no agent holds any more; an agent restores what it holds. */
  async deregister(entry: CatalogDeregistration, options?: ConsulRequestOptions): Promise<void> {
    await this.#requester.nothing('PUT', '/v1/catalog/deregister', options, { body: entry });
  }
}
