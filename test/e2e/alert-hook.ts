import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HookAlert {
  readonly status: string;
  readonly name?: string;
  readonly summary?: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** An endpoint of a webhook, of the format `json` or of Alertmanager. */
export class AlertHook {
  readonly received: HookAlert[] = [];
  readonly #server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      this.received.push(...(JSON.parse(text) as { alerts: HookAlert[] }).alerts);
      response.end();
    });
  });

  static async start(): Promise<AlertHook> {
    const hook = new AlertHook();
    await new Promise<void>((resolve) => hook.#server.listen(0, '127.0.0.1', resolve));
    return hook;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`;
  }

  of(status: 'firing' | 'resolved'): readonly HookAlert[] {
    return this.received.filter((alert) => alert.status === status);
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
