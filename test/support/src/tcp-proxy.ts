import { connect, createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

/** Before a server on loopback, to take away the network between it and its clients. */
export class TcpProxy {
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #way: 'open' | 'cut' | 'silent' | 'breaking' = 'open';
  #isHolding = false;
  readonly #held: Socket[] = [];
  readonly #port: number;
  #bytes = 0;

  private constructor(port: number) {
    this.#port = port;
    this.#server = createServer((near) => {
      if (this.#way === 'cut') near.destroy();
      else if (this.#isHolding) this.#held.push(near.on('error', () => near.destroy()));
      else this.#forward(near);
    });
  }

  /** @param port of the server */
  static async start(port: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(port);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  #forward(near: Socket): void {
    const far = connect(this.#port, '127.0.0.1');
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    const end = (): void => {
      this.#pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    // Small packets are not held back until others are acknowledged: that takes 40 ms.
    for (const socket of pair) socket.setNoDelay(true).on('error', end).on('close', end);
    const passOn = (to: Socket, chunk: Buffer): void => {
      if (this.#way === 'silent' || this.#way === 'cut') return;
      this.#bytes += chunk.length;
      to.write(chunk);
    };
    near.on('data', (chunk: Buffer) => passOn(far, chunk));
    far.on('data', (chunk: Buffer) => {
      if (this.#way === 'breaking') near.write(chunk.subarray(0, chunk.length / 2), end);
      else passOn(near, chunk);
    });
  }

  /** That have passed, in both directions. */
  get bytes(): number {
    return this.#bytes;
  }

  /** That are open. */
  get connections(): number {
    return this.#pairs.size;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Of the connections that are accepted, and wait for `release`. */
  get held(): number {
    return this.#held.length;
  }

  /** Those that are open stay as they are; further ones are accepted, and nothing more. */
  hold(): void {
    this.#isHolding = true;
  }

  release(): void {
    this.#isHolding = false;
    for (const near of this.#held.splice(0)) this.#forward(near);
  }

  /** Connections are reset, and new ones too. */
  cut(): void {
    this.#way = 'cut';
    for (const [near] of this.#pairs) near.destroy();
  }

  /** Connections stay open, and nothing passes in either direction: what is sent meanwhile is lost. */
  silence(): void {
    this.#way = 'silent';
  }

  /** Connections end half-way through what the server sends next, new ones too. */
  breakOff(): void {
    this.#way = 'breaking';
  }

  /** Those that were silent are reset, since a part of them is lost. */
  restore(): void {
    this.#way = 'open';
    for (const [near] of this.#pairs) near.destroy();
  }

  async stop(): Promise<void> {
    this.cut();
    for (const near of this.#held.splice(0)) near.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
