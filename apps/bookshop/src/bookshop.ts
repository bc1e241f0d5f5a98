import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { AppProcess, freePorts } from '@rookery/test-support';
import type { UsedRegistry } from './registry/used-registry.js';

const mainOf = (app: string): string => fileURLToPath(new URL(`../../${app}/dist/main.js`, import.meta.url));

/** The sample apps, each a separate process, on one registry. */
export class Bookshop {
  readonly #registry: UsedRegistry;
  readonly #running = new Set<AppProcess>();
  readonly #started: { readonly service: string; readonly id: string }[] = [];

  constructor(registry: UsedRegistry) {
    this.#registry = registry;
  }

  async startInventory(): Promise<AppProcess> {
    return this.#start('inventory');
  }

  async startReviews(): Promise<AppProcess> {
    return this.#start('reviews', 'tcp');
  }

  async startStorefront(): Promise<AppProcess> {
    return this.#start('storefront');
  }

  /** SIGTERM: it deregisters, and ends. */
  async stop(app: AppProcess): Promise<void> {
    this.#running.delete(app);
    await app.stop();
  }

  /** SIGKILL. */
  async kill(app: AppProcess): Promise<void> {
    this.#running.delete(app);
    await app.kill();
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#running].map((app) => this.stop(app)));
    for (const { service, id } of this.#started) await this.#registry.remove(service, id);
  }

  async #start(name: string, transport: 'http' | 'tcp' = 'http'): Promise<AppProcess> {
    const [port = 0] = await freePorts(1);
    const { environment } = this.#registry;
    const app = await AppProcess.start({ main: mainOf(name), port, transport, environment });
    this.#running.add(app);
    this.#started.push({ service: name, id: `${name}-${hostname()}-${port}` });
    return app;
  }
}
