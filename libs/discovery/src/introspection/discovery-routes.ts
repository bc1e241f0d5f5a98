import type { IncomingMessage } from 'node:http';
import type { AbstractHttpAdapter } from '@nestjs/core';
import type { ServiceExplanation } from '../catalog/explanation.js';
import { DiscoveryError } from '../errors/discovery-error.js';
import { reasonOf } from '../errors/error-message.js';
import { mayKnow, type HealthDetails } from '../health/health-routes.js';

export interface DiscoveryRoutes {
  readonly path: string;
  readonly visibleTo: HealthDetails;
}

interface AdapterRequest extends Pick<IncomingMessage, 'headers' | 'socket'> {
  readonly raw?: IncomingMessage;
  readonly params: Readonly<Record<string, string | undefined>>;
}

/**
 * Mounts `<path>`, what is known of every service in use, and `<path>/<service>`. They stand on the HTTP adapter, as the
 * health endpoints do, so that a global guard of the app does not hide them from an operator on the host.
 */
export function mountDiscoveryRoutes(
  adapter: AbstractHttpAdapter,
  { path, visibleTo }: DiscoveryRoutes,
  explainAll: () => readonly ServiceExplanation[],
): void {
  const mount = (at: string, tell: (service: string) => Promise<object>): void => {
    adapter.get(at, (request: AdapterRequest, response: unknown, next?: unknown) => {
      const reply = (body: object, status: number): void => {
        adapter.setHeader(response, 'Cache-Control', 'no-store');
        adapter.reply(response, body, status);
      };
      if (!mayKnow(visibleTo, request.raw ?? request)) {
        // A route of the app's own may be at the same path, where the adapter can go on to it.
        if (typeof next === 'function') (next as () => void)();
        else reply({ statusCode: 404, message: 'Not Found' }, 404);
        return;
      }
      tell(request.params.service ?? '').then(
        (body) => reply(body, 200),
        (error: unknown) => reply({ message: reasonOf(error) }, error instanceof DiscoveryError ? 400 : 500),
      );
    });
  };
  mount(path, async () => ({ services: explainAll() }));
  // Only what is in use: asking for a name must not start a watch.
  mount(`${path}/:service`, async (service) => ({
    services: explainAll().filter((explained) => explained.service === service),
  }));
}
