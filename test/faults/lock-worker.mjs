// Contends for a lock in a process of its own, writes to a fenced resource while it has it, and uses a register in Consul; it reports to its
// parent what it saw, by the monotonic clock of the host.
import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ConsulKv, ConsulModule, LeaderElections, LockService } from '@rookery/consul';

const { name, key, register, resource, options, leads } = JSON.parse(process.env.LOCK_WORKER ?? '{}');
const now = () => Number(process.hrtime.bigint() / 1_000n) / 1_000;
const report = (event) => process.connected && process.send({ ...event, at: event.at ?? now() });

class WorkerModule {}
Module({ imports: [ConsulModule.forRoot(options)] })(WorkerModule);
const app = await NestFactory.createApplicationContext(WorkerModule, { abortOnError: false, logger: false });
let isRunning = true;
// The wall clock of this process is set: no lease may depend on it.
const wallClock = Date.now;
process.on('message', ({ clockJumpMs }) => {
  Date.now = () => wallClock() + clockJumpMs;
});
process.on('SIGTERM', () => {
  isRunning = false;
  void app.close().then(() => process.exit(0));
});

/** Reads and writes what the resource has, one step after the other, until it is enough or the signal aborts. */
const work = async (lock, steps) => {
  const { fence, signal } = lock;
  report({ type: 'acquired', fence });
  signal.addEventListener('abort', () => report({ type: 'signal', fence, reason: signal.reason?.message }));
  for (let step = 0; step < steps && !lock.signal.aborted; step++) {
    const body = await (await fetch(`${resource}?fence=${fence}`)).json();
    await sleep(10 + 30 * Math.random());
    if (lock.signal.aborted || body.value === undefined) continue;
    report({ type: 'write', fence });
    await fetch(`${resource}?fence=${fence}&value=${body.value + 1}`, { method: 'PUT' });
  }
};

const contend = async () => {
  const locks = app.get(LockService);
  while (isRunning) {
    let fence;
    try {
      await locks.withLock(key, (lock) => {
        ({ fence } = lock);
        return work(lock, 1 + Math.floor(5 * Math.random()));
      });
      report({ type: 'ended', fence });
    } catch (error) {
      report({ type: 'ended', fence, code: error.code, message: error.message });
      await sleep(50);
    }
    await sleep(20 * Math.random());
  }
};

const lead = () => {
  const election = app.get(LeaderElections).of(key);
  election.term$.subscribe((term) => {
    if (term) work(term, Infinity).catch((error) => report({ type: 'failed', message: error.message }));
  });
};

const useRegister = async () => {
  const kv = app.get(ConsulKv);
  let last;
  for (let n = 0; isRunning; n++) {
    const value = `${name}-${process.pid}-${n}`;
    const kind = Math.random();
    const call = now();
    const done = (action, end = now()) => report({ type: 'operation', client: name, call, end, action });
    const action =
      kind < 0.4
        ? { type: 'read', value: undefined }
        : kind < 0.5 || !last
          ? { type: 'write', value }
          : { type: 'compareAndSet', from: last.value, to: value };
    // It may take effect in a process that is killed before it can tell.
    if (action.type !== 'read') report({ type: 'invoked', client: name, call, end: null, action });
    try {
      if (action.type === 'read') {
        last = await kv.get(register, { consistency: 'consistent' });
        done({ ...action, value: last?.value });
      } else if (action.type === 'write') {
        await kv.put(register, value);
        done(action);
      } else done({ ...action, done: await kv.compareAndSet(register, value, last.modifyIndex) });
    } catch {
      // Whether it took effect is not known. JSON has no Infinity.
      done(action, null);
    }
    await sleep(60 + 80 * Math.random());
  }
};

report({ type: 'started' });
if (leads) lead();
else await Promise.all([contend(), register ? useRegister() : undefined]);
