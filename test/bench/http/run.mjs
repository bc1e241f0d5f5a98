// `npm run bench -- http`: what calls cost, beside other clients. One process for each implementation on a core of its own, and the
// servers on another; one at a time is measured, in rounds of shuffled order, so that all of them meet the same disturbances.
import { fork, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { EmbeddedConsul } from '@rookery/embedded-consul';
import { freePorts } from '@rookery/test-support';
import { IMPLEMENTATIONS } from './implementations.mjs';
import { chart } from './chart.mjs';
import { interval, median } from './statistics.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const INSTANCES = 3;
const BASE = 'axios';
const WIRE = 'undici.Pool';

/** The core of a process; more than one is needed to keep clients and servers apart. */
function pin(child, core) {
  if (availableParallelism() > 1)
    spawnSync('taskset', ['-a', '-cp', String(core), String(child.pid)], { stdio: 'ignore' });
}

const message = (child) =>
  new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => reject(new Error(`a process of the benchmark ended with ${code}`)));
  });

async function ask(child, task) {
  child.send(task);
  const { result, error } = await message(child);
  child.removeAllListeners('exit');
  if (error) throw new Error(error);
  return result;
}

function shuffled(list) {
  return list
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

/** A line that the next one replaces; only on a terminal. */
function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

export async function benchHttp(args) {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string', default: '15' },
      ms: { type: 'string', default: '250' },
      only: { type: 'string' },
      concurrency: { type: 'string', default: '1,10,64,256' },
      methods: { type: 'string', default: 'GET,POST' },
    },
  });
  const names = Object.keys(IMPLEMENTATIONS).filter(
    (name) =>
      !values.only ||
      [BASE, WIRE].includes(name) ||
      values.only.split(';').some((part) => name.includes(part)),
  );
  const cells = values.methods
    .split(',')
    .flatMap((method) =>
      values.concurrency.split(',').map((each) => ({ method, concurrency: Number(each) })),
    );

  const children = [];
  const start = async (file, childArgs, core, env = {}) => {
    const child = fork(here(file), childArgs, {
      env: { ...process.env, ...env },
      execArgv: ['--expose-gc', '--min-semi-space-size=16', '--max-semi-space-size=16'],
    });
    children.push(child);
    pin(child, core);
    const first = await message(child);
    child.removeAllListeners('exit');
    return { child, first };
  };
  const consul = await EmbeddedConsul.start();
  try {
    const origins = [];
    for (let n = 0; n < INSTANCES; n++) {
      const { port } = (await start('server.mjs', [], 1)).first;
      origins.push(`http://127.0.0.1:${port}`);
      await fetch(`${consul.url}/v1/agent/service/register`, {
        method: 'PUT',
        body: JSON.stringify({ Name: 'inventory', ID: `inventory-${n}`, Address: '127.0.0.1', Port: port }),
      });
    }
    const ports = await freePorts(INSTANCES + 1);
    const moleculer = ports.map((port, n) => `127.0.0.1:${port}/${n < INSTANCES ? `books-${n}` : 'client'}`);
    const env = { BENCH_TARGET: JSON.stringify({ origins, consul: consul.url, moleculer }) };
    if (names.includes('moleculer'))
      for (let n = 0; n < INSTANCES; n++) await start('moleculer.mjs', [`books-${n}`], 1, env);
    const clients = new Map();
    for (const name of names) {
      clients.set(name, (await start('client.mjs', [name], 0, env)).child);
      progress(`warming up: ${name}`);
      for (const method of ['GET', 'POST'])
        await ask(clients.get(name), { task: 'measure', method, concurrency: 64, durationMs: 1_500 });
    }
    const samples = new Map();
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const cell of shuffled(cells)) {
        for (const name of shuffled(names)) {
          progress(`round ${round + 1} of ${values.rounds}: ${cell.method} ${cell.concurrency} ${name}`);
          const sample = await ask(clients.get(name), {
            task: 'measure',
            ...cell,
            durationMs: Number(values.ms),
          });
          const key = `${name} ${cell.method} ${cell.concurrency}`;
          samples.set(key, [...(samples.get(key) ?? []), sample]);
        }
      }
    }
    const allocated = new Map();
    for (const name of names)
      for (const method of values.methods.split(','))
        allocated.set(
          `${name} ${method}`,
          (await ask(clients.get(name), { task: 'allocation', method })).bytes,
        );
    progress('');
    report({ names, cells, samples, allocated });
  } finally {
    for (const child of children) child.kill();
    await consul.stop();
  }
}

function report({ names, cells, samples, allocated }) {
  const rows = names.flatMap((impl) =>
    cells.map(({ method, concurrency }) => {
      const own = samples.get(`${impl} ${method} ${concurrency}`);
      const of = (field, list = own) => median(list.map((sample) => sample[field]));
      const ratios = (base) =>
        own.map(({ rps }, n) => rps / samples.get(`${base} ${method} ${concurrency}`)[n].rps);
      const cpuRatios = own.map(
        ({ cpuUs }, n) => cpuUs / samples.get(`${BASE} ${method} ${concurrency}`)[n].cpuUs,
      );
      return {
        impl,
        method,
        concurrency,
        rps: Math.round(of('rps')),
        p50Ms: round(of('p50Ms')),
        p99Ms: round(of('p99Ms')),
        cpuUs: round(of('cpuUs')),
        bytes: Math.round(allocated.get(`${impl} ${method}`)),
        ratioToAxios: round(median(ratios(BASE))),
        ratioToUndici: round(median(ratios(WIRE))),
        ratioToUndiciInterval: interval(ratios(WIRE)).map(round),
        cpuToAxios: round(median(cpuRatios)),
      };
    }),
  );
  mkdirSync(here('../results'), { recursive: true });
  writeFileSync(here('../results/http.json'), `${JSON.stringify(rows, null, 2)}\n`);
  writeFileSync(here('../results/http.svg'), chart(rows));
  for (const { method, concurrency } of cells) {
    console.log(`\n${method}, ${concurrency} at once`);
    console.log(
      `${''.padEnd(32)}${['calls/s', 'p50 ms', 'p99 ms', 'CPU us', 'kB/call', 'x axios', 'CPU x', 'x Pool', '95 % interval'].map((head) => head.padStart(9)).join('')}`,
    );
    for (const row of rows.filter((each) => each.method === method && each.concurrency === concurrency)) {
      const [low, high] = row.ratioToUndiciInterval;
      const figures = [
        row.rps,
        row.p50Ms,
        row.p99Ms,
        row.cpuUs,
        round(row.bytes / 1_000),
        row.ratioToAxios,
        row.cpuToAxios,
        row.ratioToUndici,
      ];
      console.log(
        `${row.impl.padEnd(32)}${figures.map((figure) => String(figure).padStart(9)).join('')}   ${low} to ${high}`,
      );
    }
  }
  console.log('\nwritten: test/bench/results/http.json and http.svg');
}

const round = (figure) => Number(figure.toPrecision(3));
