// `npm run bench -- grpc`: unary calls by the name of a service beside a plain client of @grpc/grpc-js to one address, in one run.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const ROUNDS = 150;
const ROUND_MS = 100;
/** Until V8 has compiled what a client needs. */
const WARM_UP_MS = 3_000;

/** The kind of the client, and how many instances there are. */
const CLIENTS = {
  'plain client, one address': ['plain', 1],
  'plain client, with deadlines': ['deadline', 1],
  'plain client, round_robin of two': ['roundRobin', 2],
  'rookery, one instance': ['channel', 1],
  'rookery, one, and its interceptor': ['intercepted', 1],
  'rookery, two instances': ['channel', 2],
  'rookery, two, and its interceptor': ['intercepted', 2],
  "Nest's own client, one address": ['nest', 1],
  '@GrpcServiceClient, one instance': ['injected', 1],
  '@GrpcServiceClient, two instances': ['injected', 2],
};

export async function benchGrpc() {
  const servers = await Promise.all([started('server.mjs'), started('server.mjs')]);
  const ports = servers.map(({ told }) => String(told.port));
  const clients = {};
  for (const [name, [kind, instances]] of Object.entries(CLIENTS))
    clients[name] = await started('client.mjs', [kind, ...ports.slice(0, instances)]);
  const results = Object.fromEntries(Object.keys(clients).map((name) => [name, []]));
  for (const client of Object.values(clients)) await rateOf(client, WARM_UP_MS);
  // In turns, so that a change of the machine is one for all.
  for (let round = 0; round < ROUNDS; round++)
    for (const [name, client] of Object.entries(clients)) results[name].push(await rateOf(client, ROUND_MS));
  const [[, plain], [, withDeadline]] = Object.entries(results);
  const nest = results["Nest's own client, one address"];
  console.log(
    `unary calls, 64 at a time, each client in a process of its own; ${ROUNDS} rounds of ${ROUND_MS} ms in turns: median, and what each round is of that of a plain client, of one with deadlines, as calls of Rookery have them, and of Nest's own: median (quartiles):`,
  );
  for (const [name, rates] of Object.entries(results)) {
    const rate = Math.round(quantile(rates, 0.5)).toString().padStart(7);
    console.log(
      `  ${name.padEnd(33)} ${rate} calls/s  ${shareOf(plain, rates)}  ${shareOf(withDeadline, rates)}  ${shareOf(nest, rates)}`,
    );
  }
  const processes = [...Object.values(clients), ...servers].map(({ child }) => child);
  const ended = processes.map((child) => once(child, 'exit'));
  for (const child of processes) child.disconnect();
  await Promise.all(ended);
}

async function started(file, args = []) {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args);
  const [told] = await once(child, 'message');
  return { child, told };
}

/** @returns calls a second */
async function rateOf({ child }, milliseconds) {
  child.send(milliseconds);
  const [rate] = await once(child, 'message');
  return rate;
}

function shareOf(plain, rates) {
  const ratios = rates.map((rate, round) => rate / plain[round]);
  const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => quantile(ratios, share).toFixed(2));
  return `${middle} (${low} to ${high})`;
}

function quantile(values, share) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * share)];
}
