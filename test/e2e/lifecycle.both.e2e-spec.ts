import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestConsul, eventually, type TestConsul } from '@rookery/test-support';

const APP = fileURLToPath(new URL('./lifecycle-app.mjs', import.meta.url));

/** A process, while others use the machine; as of `AppProcess`. */
const STARTS_WITHIN_MS = 30_000;

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A small app in a separate process, to test what happens to the process. */
class AppUnderTest {
  readonly #process: ChildProcess;
  readonly #ended: Promise<Ended>;
  output = '';

  constructor(environment: Record<string, string>) {
    this.#process = spawn(process.execPath, [APP], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1', ...environment },
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    }
    this.#ended = once(this.#process, 'exit').then((end) => {
      const [code, signal] = end as [Ended['code'], Ended['signal']];
      return { code, signal };
    });
  }

  async listening(): Promise<string> {
    return eventually(() => /listening on (\d+)/.exec(this.output)?.[1], { within: STARTS_WITHIN_MS });
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** How the process ended; one that does not end by itself is killed and fails the test. */
  async ended(): Promise<Ended> {
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 20_000);
    const end = await this.#ended;
    clearTimeout(timer);
    if (end.signal === 'SIGKILL') throw new Error(`it did not end by itself:\n${this.output}`);
    return end;
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }
}

describe('the lifecycle of an app with Consul', () => {
  let consul: TestConsul;
  const apps: AppUnderTest[] = [];
  const launch = (environment: Record<string, string> = {}): AppUnderTest => {
    const app = new AppUnderTest({ CONSUL_HTTP_ADDR: consul.url, ...environment });
    apps.push(app);
    return app;
  };
  const isRegistered = async (): Promise<boolean> =>
    ((await consul.request('GET', '/v1/health/service/living?passing')).body as unknown[]).length > 0;

  beforeAll(async () => {
    consul = await startTestConsul();
  });
  afterAll(() => consul.stop());
  afterEach(() => Promise.all(apps.splice(0).map((app) => app.kill())));

  describe.each(['SIGTERM', 'SIGINT'] as const)('%s', (signal) => {
    it.each(['yes', 'no'])('deregisters it and ends it, Nest’s shutdown hooks enabled: %s', async (hooks) => {
      const app = launch({ HOOKS: hooks });
      await app.listening();
      await eventually(isRegistered);
      app.signal(signal);
      expect(await app.ended()).toEqual({ code: null, signal });
      expect(await isRegistered()).toBe(false);
      expect(app.output).toMatch(/is deregistered from Consul at/);
      expect(app.output).not.toMatch(/unhandled|uncaught/i);
    });
  });

  it('ends beside the package signal-exit, which does nothing while there is another listener', async () => {
    const app = launch({ HOOKS: 'no', SIGNAL_EXIT: 'yes' });
    await app.listening();
    await eventually(isRegistered);
    app.signal('SIGTERM');
    expect(await app.ended()).toEqual({ code: null, signal: 'SIGTERM' });
    expect(await isRegistered()).toBe(false);
  });

  it('F13 a second signal does not interrupt the shutdown', async () => {
    const app = launch({ HOOKS: 'no' });
    const port = await app.listening();
    await eventually(isRegistered);
    const slow = fetch(`http://127.0.0.1:${port}/slow`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    app.signal('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 50));
    app.signal('SIGTERM');
    app.signal('SIGINT');
    expect((await slow).status).toBe(200);
    expect(await app.ended()).toEqual({ code: null, signal: 'SIGTERM' });
    expect(await isRegistered()).toBe(false);
  });

  it('waits for every app of the process', async () => {
    const app = launch({ HOOKS: 'no', APPS: '2' });
    await app.listening();
    await eventually(() => app.output.split('is registered with').length === 3);
    app.signal('SIGTERM');
    expect(await app.ended()).toEqual({ code: null, signal: 'SIGTERM' });
    expect(app.output.split('is deregistered from')).toHaveLength(3);
    expect(await isRegistered()).toBe(false);
  });

  it('ends on a signal also when Consul is gone or frozen', async () => {
    const own = await startTestConsul();
    for (const fault of ['gone', 'frozen'] as const) {
      const app = launch({ CONSUL_HTTP_ADDR: own.url });
      await app.listening();
      await eventually(() => app.output.includes('is registered with'));
      if (fault === 'frozen') own.pause();
      else await own.kill();
      const asked = performance.now();
      app.signal('SIGTERM');
      expect(await app.ended()).toEqual({ code: null, signal: 'SIGTERM' });
      process.stderr.write(
        `SIGTERM with Consul ${fault}: ended after ${Math.round(performance.now() - asked)} ms\n`,
      );
      expect(app.output).toMatch(/could not be deregistered/);
      if (fault === 'frozen') own.resume();
      else await own.restart();
    }
    await own.stop();
  });

  it('ends by itself after app.close(): no handle keeps the process alive', async () => {
    const app = launch({ CLOSE_AFTER_CALL: 'yes' });
    expect(await app.ended()).toEqual({ code: 0, signal: null });
    expect(app.output).toMatch(/closed; still open: \[\s*\]/);
  });

  it.each([
    'before it listens',
    'while it registers',
    'while it watches',
    'while it calls',
    'while it closes',
  ])('survives a SIGKILL of Consul %s', async (stage) => {
    const own = await startTestConsul();
    if (stage === 'before it listens') await own.kill();
    const app = launch({ CONSUL_HTTP_ADDR: own.url, CALLS: stage === 'while it calls' ? 'yes' : 'no' });
    if (stage === 'while it registers') {
      own.pause(); // the request stays in progress
      await app.listening();
      await own.kill();
    }
    const port = await app.listening();
    if (stage.startsWith('while it w') || stage.startsWith('while it c')) {
      await eventually(() => app.output.includes('is registered with'));
      await fetch(`http://127.0.0.1:${port}/instances`);
    }
    if (stage === 'while it closes') {
      own.pause();
      app.signal('SIGTERM');
      await own.kill();
    } else {
      await own.kill();
      // Both its loops have noticed, and retried.
      await eventually(() => app.output.includes('retrying'));
      await eventually(async () => (await fetch(`http://127.0.0.1:${port}/health/live`)).ok);
      app.signal('SIGTERM');
    }
    expect(await app.ended()).toEqual({ code: null, signal: 'SIGTERM' });
    expect(app.output).not.toMatch(/unhandled|uncaught/i);
    await own.stop();
  });
});
