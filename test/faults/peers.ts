import { fileURLToPath } from 'node:url';
import { AppProcess, freePorts, type ConsulAgent } from '@rookery/test-support';
import { putInstance } from './watching-app.js';

const MAIN = fileURLToPath(new URL('./http-peer.mjs', import.meta.url));

/** Plain HTTP servers in separate processes, which the registry lists without checks. */
export class Peers {
  readonly all: AppProcess[] = [];

  static async start(
    agent: ConsulAgent,
    service: string,
    count: number,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Peers> {
    const peers = new Peers();
    for (const port of await freePorts(count)) {
      peers.all.push(await AppProcess.start({ main: MAIN, port, environment }));
      await putInstance(agent, service, `${service}-${port}`, port);
    }
    return peers;
  }

  at(index: number): AppProcess {
    const peer = this.all[index];
    if (!peer) throw new Error(`no peer ${index}`);
    return peer;
  }

  idOf(service: string, index: number): string {
    return `${service}-${this.at(index).port}`;
  }

  /** Sets its behaviour from now on; without an argument it is healthy. @returns how many calls it has had */
  async behave(index: number, how: { status?: number; delay?: number } = {}): Promise<number> {
    const { status = 200, delay = 0 } = how;
    const response = await fetch(`${this.at(index).url}/behave?status=${status}&delay=${delay}`);
    return Number(await response.text());
  }

  async kill(): Promise<void> {
    await Promise.all(this.all.splice(0).map((peer) => peer.kill()));
  }
}
