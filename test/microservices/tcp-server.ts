import { setTimeout as sleep } from 'node:timers/promises';
import { Controller, type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern, RpcException, Transport } from '@nestjs/microservices';
import { freePorts, TcpProxy } from '@rookery/test-support';
import { from, Observable } from 'rxjs';
import { rootModule } from '../e2e/test-app.js';

/** What its handlers do; one object for each server. */
export class Behaviour {
  port = 0;
  calls = 0;
  events: unknown[] = [];
  delayMs = 0;
  isHanging = false;
  openStreams = 0;
}

export interface Answered {
  readonly title: string;
  readonly port: number;
}

/** A microservice of Nest on TCP that says which one it is, behind a proxy that can take its network away. */
export class TcpLibrary {
  readonly behaviour = new Behaviour();
  /** Of the server itself. */
  directPort = 0;
  #app: INestMicroservice | undefined;
  #proxy: TcpProxy | undefined;

  static async start(): Promise<TcpLibrary> {
    const library = new TcpLibrary();
    await library.#listen();
    return library;
  }

  /** Of its proxy. */
  get port(): number {
    return this.behaviour.port;
  }

  get calls(): number {
    return this.behaviour.calls;
  }

  /** To its proxy. */
  get connections(): number {
    return this.#proxy?.connections ?? 0;
  }

  kill(): void {
    this.#proxy?.cut();
  }

  revive(): void {
    this.#proxy?.restore();
  }

  /** New connections are refused. */
  async refuse(): Promise<void> {
    await this.#proxy?.stop();
  }

  silence(): void {
    this.#proxy?.silence();
  }

  /** Its connections end half-way through what it sends next, new ones too. */
  breakOff(): void {
    this.#proxy?.breakOff();
  }

  async stop(): Promise<void> {
    await this.#proxy?.stop().catch(() => undefined);
    await this.#app?.close();
  }

  async #listen(): Promise<void> {
    const { behaviour } = this;

    @Controller()
    class LibraryController {
      @MessagePattern('find')
      async find({ title }: { title: string }): Promise<Answered> {
        behaviour.calls++;
        if (behaviour.isHanging) await new Promise(() => undefined);
        if (behaviour.delayMs > 0) await sleep(behaviour.delayMs);
        if (title === '') throw new RpcException('there is no such book');
        return { title, port: behaviour.port };
      }

      @MessagePattern('pages')
      pages({ count }: { count: number }): Observable<number> {
        behaviour.calls++;
        return from(Array.from({ length: count }, (_, n) => n));
      }

      @MessagePattern('endless')
      endless(): Observable<number> {
        behaviour.calls++;
        return new Observable((subscriber) => {
          behaviour.openStreams++;
          subscriber.next(0);
        });
      }

      @EventPattern('read')
      read(event: unknown): void {
        behaviour.events.push(event);
      }
    }
    const [port = 0] = await freePorts(1);
    this.#app = await NestFactory.createMicroservice(rootModule([], { controllers: [LibraryController] }), {
      transport: Transport.TCP,
      options: { host: '127.0.0.1', port },
      logger: false,
    });
    await this.#app.listen();
    this.directPort = port;
    this.#proxy = await TcpProxy.start(port);
    behaviour.port = Number(new URL(this.#proxy.url).port);
  }
}
