import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const LISTEN = `require('node:net').createServer().listen({ host: '127.0.0.1', port: 0, backlog: 1 }, function () {
  console.log(this.address().port);
});`;
const CONNECTED_MS = 500;
const MOST_CONNECTIONS = 20;

/** As a dead host, it answers no attempt to connect: the queue of connections of a frozen process is full. */
export class FullServer {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #sockets: readonly Socket[];

  private constructor(port: number, child: ChildProcess, sockets: readonly Socket[]) {
    this.port = port;
    this.#child = child;
    this.#sockets = sockets;
  }

  static async start(): Promise<FullServer> {
    const child = spawn(process.execPath, ['-e', LISTEN], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const port = Number(line.toString());
    child.kill('SIGSTOP');
    const sockets: Socket[] = [];
    const server = new FullServer(port, child, sockets);
    for (let isFull = false; !isFull;) {
      if (sockets.length === MOST_CONNECTIONS) {
        server.stop();
        throw new Error('a frozen process takes all connections');
      }
      const socket = connect(port, '127.0.0.1').on('error', () => undefined);
      sockets.push(socket);
      isFull = !(await connects(socket));
    }
    return server;
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#child.kill('SIGKILL');
  }
}

function connects(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), CONNECTED_MS);
    socket.once('connect', () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
