import { once } from 'node:events';
import { connect } from 'node:net';
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { endWithUs, exited } from './child-processes.js';
import { eventually } from './eventually.js';

export interface AppProcessOptions {
  /** Compiled main file. */
  readonly main: string;
  readonly port: number;
  /** How it says that it is up: by its health endpoint, or by a connection. Default: `http`. */
  readonly transport?: 'http' | 'tcp';
  readonly environment?: Readonly<Record<string, string>>;
}

// As built, also when a test runs from the sources.
const EXIT_WITH_PARENT = fileURLToPath(new URL('../dist/exit-with-parent.js', import.meta.url));

/** A Nest app in a separate process. */
export class AppProcess {
  readonly port: number;
  readonly #process: ChildProcess;
  #output = '';

  /** Starts it and waits until its port answers. */
  static async start(options: AppProcessOptions): Promise<AppProcess> {
    const app = new AppProcess(options);
    let hasEnded = false;
    const answers = async (): Promise<boolean> =>
      hasEnded ||
      (options.transport === 'tcp' ? connects(app.port) : (await fetch(`${app.url}/health/live`)).ok);
    await Promise.race([
      eventually(answers, { within: 30_000 }),
      exited(app.#process).then((end) => {
        hasEnded = true;
        throw new Error(`${options.main} ended (${JSON.stringify(end)}):\n${app.output.slice(-2_000)}`);
      }),
    ]);
    return app;
  }

  private constructor({ main, port, environment }: AppProcessOptions) {
    this.port = port;
    this.#process = spawn(process.execPath, ['--import', EXIT_WITH_PARENT, main], {
      // A separate process group, so that the parent passes Ctrl-C on in order; the IPC channel closes when the parent ends.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, PORT: String(port), NO_COLOR: '1', ...environment },
    });
    const keep = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString()).slice(-100_000);
    };
    this.#process.stdout?.on('data', keep);
    this.#process.stderr?.on('data', keep);
    endWithUs(this.#process);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** The last 100 kB that it wrote. */
  get output(): string {
    return this.#output;
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await exited(this.#process);
  }

  /** SIGTERM, and SIGKILL when it has not ended within this many milliseconds. */
  async stop(withinMs = 15_000): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), withinMs);
    const end = await exited(this.#process);
    clearTimeout(timer);
    return end;
  }
}

/** Rejects where nothing listens. */
async function connects(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } finally {
    socket.destroy();
  }
}
