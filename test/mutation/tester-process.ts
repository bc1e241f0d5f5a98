import { TEST_CONSUL_VARIABLE } from '@rookery/test-support';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Loading, TestedMutant, TesterReply, TesterRequest } from './tester-protocol.js';

export type Loaded = Extract<TesterReply, { type: 'loaded' }>;

/** It does not answer: a mutant without an end. */
export class Unresponsive extends Error {}

const ENTRY = fileURLToPath(new URL('./tester.js', import.meta.url));
const LOADING_MS = 600_000;

/** A tester in a process of its own, which can be ended whatever it does. */
export class TesterProcess {
  readonly #child: ChildProcess;
  readonly loaded: Promise<Loaded>;

  constructor(loading: Loading) {
    this.#child = fork(ENTRY, [], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: { ...process.env, [TEST_CONSUL_VARIABLE]: 'embedded' },
    });
    this.loaded = this.#ask<Loaded>(loading, LOADING_MS);
  }

  /**
   * @returns the test that failed; undefined: none did
   * @throws Unresponsive when there is no answer in time
   */
  async test(tested: TestedMutant, withinMs: number): Promise<number | undefined> {
    const { failed } = await this.#ask<Extract<TesterReply, { type: 'tested' }>>(
      { type: 'test', ...tested },
      withinMs,
    );
    return failed;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  #ask<T extends TesterReply>(request: TesterRequest, withinMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (end: () => void): void => {
        clearTimeout(timer);
        this.#child.off('message', onReply).off('exit', onExit);
        end();
      };
      const onReply = (reply: TesterReply): void =>
        settle(() => (reply.type === 'failed' ? reject(new Error(reply.reason)) : resolve(reply as T)));
      const onExit = (): void => settle(() => reject(new Unresponsive('it has ended')));
      const timer = setTimeout(
        () => settle(() => reject(new Unresponsive(`no answer within ${withinMs} ms`))),
        withinMs,
      );
      this.#child.on('message', onReply).on('exit', onExit);
      this.#child.send(request);
    });
  }
}
