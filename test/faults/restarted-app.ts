import { spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { eventually } from '@rookery/test-support';

export interface RestartedAppOptions {
  /** The file of the Nest CLI. */
  readonly cli: string;
  readonly folder: string;
  readonly port: number;
  /** Of `nest start --watch`. */
  readonly more?: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
}

/** An app under `nest start --watch`, whose `GET /pid` answers its process id and whose `GET /slow` takes a minute. */
export class RestartedApp {
  readonly #options: RestartedAppOptions;
  readonly #nest: ChildProcess;
  #output = '';

  constructor(options: RestartedAppOptions) {
    this.#options = options;
    const { cli, folder, more = [], environment } = options;
    const { npm_lifecycle_script: _, ...env } = environment;
    // The CLI, the shell and the app are one process group.
    this.#nest = spawn(process.execPath, [cli, 'start', '--watch', ...more], {
      cwd: folder,
      detached: true,
      env,
    });
    for (const stream of [this.#nest.stdout, this.#nest.stderr])
      stream?.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
  }

  get output(): string {
    return this.#output;
  }

  /** Saves a file while callers go on, one of them for a minute; resolves to how long the next process takes to answer. */
  async saveUnderLoad(): Promise<number> {
    const first = await eventually(() => this.#pid().catch(() => false as const), { within: 60_000 });
    await eventually(() => this.#output.includes('is registered with'), { within: 20_000 });
    this.#get('/slow').catch(() => undefined);
    const calling = setInterval(() => void this.#pid().catch(() => undefined), 50);
    try {
      appendFileSync(join(this.#options.folder, 'src/main.ts'), '\n// saved\n');
      await eventually(() => this.#output.includes('shutting down quickly'), { within: 60_000, every: 10 });
      const signalled = performance.now();
      const isNext = async (): Promise<boolean> => (await this.#pid().catch(() => first)) !== first;
      await eventually(isNext, { within: 25_000, every: 20 });
      const tookMs = performance.now() - signalled;
      await eventually(() => this.#output.split('is registered with').length > 2, { within: 20_000 });
      return tookMs;
    } catch (error) {
      throw new Error(this.#output.slice(-3_000), { cause: error });
    } finally {
      clearInterval(calling);
    }
  }

  async stop(): Promise<void> {
    if (this.#nest.pid !== undefined) process.kill(-this.#nest.pid, 'SIGKILL');
    await eventually(() => this.#nest.exitCode !== null || this.#nest.signalCode !== null);
  }

  async #pid(): Promise<number> {
    return Number(await this.#get('/pid'));
  }

  /** On a connection of its own, as from a browser that was just opened. */
  #get(path: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const { port } = this.#options;
      const sent = request({ port, path, host: '127.0.0.1', timeout: 2_000 }, (response) => {
        response.on('data', (chunk: Buffer) => resolve(chunk.toString()));
      });
      sent.on('error', reject).end();
    });
  }
}
