import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { ConsulModuleOptions } from '@rookery/consul';
import { endWithUs, exited } from '@rookery/test-support';
import type { Operation } from '../history/operation.js';

const WORKER = fileURLToPath(new URL('lock-worker.mjs', import.meta.url));
const EXIT_WITH_PARENT = fileURLToPath(new URL('../support/dist/exit-with-parent.js', import.meta.url));

export interface LockWorkerOptions {
  readonly name: string;
  readonly key: string;
  readonly resource: string;
  readonly options: ConsulModuleOptions;
  /** A key for operations on a register. */
  readonly register?: string;
  /** It takes part in an election instead of contending for a lock. */
  readonly leads?: boolean;
}

/** What a worker reports; times are in milliseconds, by one clock for all processes of the host. */
export interface LockEvent {
  readonly type: 'started' | 'acquired' | 'signal' | 'write' | 'ended' | 'failed';
  readonly at: number;
  readonly fence?: number;
  readonly reason?: string;
  readonly code?: string;
  readonly message?: string;
}

/** A worker in a process of its own, which can be frozen, killed and started again. */
export class LockWorker {
  readonly name: string;
  readonly events: LockEvent[] = [];
  readonly #ended: Operation[] = [];
  /** By their call: of a process that is killed they never end. */
  readonly #underWay = new Map<number, Operation>();
  readonly #options: LockWorkerOptions;
  #process: ChildProcess;

  constructor(options: LockWorkerOptions) {
    this.name = options.name;
    this.#options = options;
    this.#process = this.#spawn();
  }

  /** With those whose outcome is not known. */
  get operations(): readonly Operation[] {
    return [...this.#ended, ...this.#underWay.values()];
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** The fence of the lock that it has, as far as it has reported. */
  get holds(): number | undefined {
    const last = this.events.findLast(({ type }) => type === 'acquired' || type === 'signal');
    return last?.type === 'acquired' ? last.fence : undefined;
  }

  pause(): void {
    this.#process.kill('SIGSTOP');
  }

  resume(): void {
    this.#process.kill('SIGCONT');
  }

  /** Its wall clock is off by this much from now on. */
  jumpClock(clockJumpMs: number): void {
    this.#process.send({ clockJumpMs });
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await exited(this.#process);
    // What it had ends with it.
    const { holds } = this;
    if (holds !== undefined) this.events.push({ type: 'signal', fence: holds, at: now(), reason: 'killed' });
  }

  async restart(): Promise<void> {
    await this.kill();
    this.#process = this.#spawn();
  }

  async stop(): Promise<void> {
    this.resume();
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 15_000);
    await exited(this.#process);
    clearTimeout(timer);
  }

  #spawn(): ChildProcess {
    const child = spawn(process.execPath, ['--import', EXIT_WITH_PARENT, WORKER], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, NO_COLOR: '1', LOCK_WORKER: JSON.stringify(this.#options) },
    });
    // JSON has no Infinity.
    type Reported<T> = Omit<Operation, 'end'> & { readonly type: T; readonly end: number | null };
    child.on('message', (message: LockEvent | Reported<'invoked'> | Reported<'operation'>) => {
      if (message.type === 'operation') {
        this.#underWay.delete(message.call);
        this.#ended.push({ ...message, end: message.end ?? Infinity });
      } else if (message.type === 'invoked') this.#underWay.set(message.call, { ...message, end: Infinity });
      else this.events.push(message);
    });
    endWithUs(child);
    return child;
  }
}

/** By the clock of the workers. */
export function now(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

/** What a lock protects: a counter that refuses a fence older than the newest that it has seen. */
export class FencedResource {
  value = 0;
  accepted = 0;
  /** Requests with an older fence, all refused. */
  stale = 0;
  #highest = 0;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const { searchParams } = new URL(request.url ?? '/', 'http://localhost');
      const fence = Number(searchParams.get('fence'));
      if (fence < this.#highest) {
        this.stale++;
        response.writeHead(409).end('{}');
        return;
      }
      this.#highest = fence;
      if (request.method === 'PUT') {
        this.accepted++;
        this.value = Number(searchParams.get('value'));
      }
      response.end(JSON.stringify({ value: this.value }));
    });
  }

  static async start(): Promise<FencedResource> {
    const resource = new FencedResource();
    await once(resource.#server.listen(0, '127.0.0.1'), 'listening');
    return resource;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
