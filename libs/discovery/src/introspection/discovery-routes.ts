import type { IncomingMessage } from 'node:http';
import type { AbstractHttpAdapter } from '@nestjs/core';
import type { ServiceExplanation } from '../catalog/explanation.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import { errorMessage } from '../errors/error-message.js';
import type { DiscoverySections } from './discovery-sections.js';
import { isExposedTo, type Exposure } from '../health/exposure.js';

export interface DiscoveryRoutes {
  readonly path: string;
  readonly exposure: Exposure;
}

interface AdapterRequest extends Pick<IncomingMessage, 'headers' | 'socket'> {
  readonly raw?: IncomingMessage;
  readonly params: Readonly<Record<string, string | undefined>>;
}

/**
 * Mounts `<path>`, which explains every service in use and what else the app adds, and `<path>/<service>`. They are mounted on the HTTP adapter, like the
 * health endpoints, so that a global guard of the app does not hide them from an operator on the host.
 */
export function mountDiscoveryRoutes(
  adapter: AbstractHttpAdapter,
  { path, exposure }: DiscoveryRoutes,
  explainAll: () => readonly ServiceExplanation[],
  sections: DiscoverySections,
): void {
  const mount = (at: string, explain: (service: string) => Promise<object>): void => {
    adapter.get(at, (request: AdapterRequest, response: unknown, next?: unknown) => {
      const reply = (body: object, status: number): void => {
        // Something else has answered, such as a middleware of the app that limits the time.
        if (adapter.isHeadersSent(response)) return;
        adapter.setHeader(response, 'Cache-Control', 'no-store');
        adapter.reply(response, body, status);
      };
      if (!isExposedTo(exposure, request.raw ?? request)) {
        // On Express the app may have a route of its own at the same path.
        if (typeof next === 'function') (next as () => void)();
        else reply({ statusCode: 404, message: 'Not Found' }, 404);
        return;
      }
      explain(request.params.service ?? '').then(
        (body) => reply(body, 200),
        (error: unknown) =>
          reply({ message: errorMessage(error) }, error instanceof DiscoveryError ? 400 : 500),
      );
    });
  };
  mount(path, async () => ({ services: explainAll(), ...sections.explain() }));
  // Only services in use: a request for a name must not start a watch.
  mount(`${path}/:service`, async (service) => ({
    services: explainAll().filter((explained) => explained.service === service),
  }));
}
