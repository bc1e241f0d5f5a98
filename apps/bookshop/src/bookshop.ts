import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { AppProcess, freePorts } from '@rookery/test-support';

const mainOf = (app: string): string => fileURLToPath(new URL(`../../${app}/dist/main.js`, import.meta.url));

/** The sample apps, each a separate process, on one Consul. */
export class Bookshop {
  readonly #environment: Readonly<Record<string, string>>;
  readonly #running = new Set<AppProcess>();
  /** Instance ids. */
  readonly #started: string[] = [];

  constructor(consulUrl: string) {
    this.#environment = { CONSUL_HTTP_ADDR: consulUrl };
  }

  async startInventory(): Promise<AppProcess> {
    return this.#start('inventory');
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
    await this.#removeKilled();
  }

  /** Deregisters killed instances: a Consul that was running before must not keep them. */
  async #removeKilled(): Promise<void> {
    const url = this.#environment.CONSUL_HTTP_ADDR ?? '';
    const address = url.includes('://') ? url : `http://${url}`;
    for (const id of this.#started) {
      const path = `/v1/agent/service/deregister/${encodeURIComponent(id)}`;
      // A Consul that has stopped keeps nothing.
      await fetch(address + path, { method: 'PUT', signal: AbortSignal.timeout(2_000) }).catch(
        () => undefined,
      );
    }
  }

  async #start(name: string): Promise<AppProcess> {
    const [port = 0] = await freePorts(1);
    const app = await AppProcess.start({ main: mainOf(name), port, environment: this.#environment });
    this.#running.add(app);
    this.#started.push(`${name}-${hostname()}-${port}`);
    return app;
  }
}
