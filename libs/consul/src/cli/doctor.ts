import { networkInterfaces } from 'node:os';
import { ruleOf, type AclRight } from '../acl/acl-right.js';
import { DiscoveryError } from '@rookery/discovery';
import { errorMessage, probeTcp, withoutUrlSecrets } from '@rookery/discovery/adapter';
import type { ConsulClient } from '../client/consul-client.js';
import { worstStatus } from '../client/worst-status.js';
import { parseCommand, positionals } from './command-options.js';
import { ProgressBar } from './progress-bar.js';
import { readApp, withClient } from './service-commands.js';
import { painted, printable, toneOf } from './table.js';
import type { Terminal } from './terminal.js';

/** What was looked at, and what to do about it. */
export interface Finding {
  readonly what: string;
  readonly status: 'ok' | 'warning' | 'failed';
  readonly says: string;
  /** Undefined: nothing is to be done. */
  readonly cure?: string;
}

interface Examination {
  readonly client: ConsulClient;
  readonly terminal: Terminal;
  /** Of the app; undefined: only its environment is looked at. */
  readonly app: string | undefined;
}

type Look = (examination: Examination) => Promise<Finding | undefined>;

const CONNECT_TIMEOUT_MS = 2_000;
const MOST_SKEW_MS = 5_000;
/** RFC 1123, 2.1. */
const DNS_LABEL = /^[a-z\d]([a-z\d-]{0,61}[a-z\d])?$/i;

/** `doctor`: whether an app can work here, and what to do where it cannot. */
export async function doctor(args: readonly string[], terminal: Terminal): Promise<number> {
  const command = parseCommand(args, { json: { type: 'boolean' }, app: { type: 'string' } });
  positionals(command, []);
  return withClient(command, terminal, async (client) => {
    const app = command.values.app as string | undefined;
    const findings: Finding[] = [];
    const bar = new ProgressBar(LOOKS.length, terminal.progress);
    for (const [what, look] of LOOKS) {
      const found = await look({ client, terminal, app }).catch((error: unknown) => failed(what, error));
      terminal.signal.throwIfAborted();
      if (found) findings.push(found);
      bar.update(findings.length);
      // Everything else asks the agent, too.
      if (what === 'agent' && found?.status === 'failed') break;
    }
    bar.end();
    if (command.values.json) terminal.print(`${JSON.stringify(findings, null, 2)}\n`);
    else
      for (const { what, status, says, cure } of findings) {
        const mark = status === 'ok' ? 'ok     ' : status === 'warning' ? 'warning' : 'FAILED ';
        const tone = terminal.isTerminal ? toneOf(status) : undefined;
        terminal.print(`${painted(mark, tone)}  ${what}: ${printable(says)}\n`);
        if (cure !== undefined) terminal.print(`         → ${printable(cure)}\n`);
      }
    return findings.some(({ status }) => status === 'failed') ? 1 : 0;
  });
}

function failed(what: string, error: unknown): Finding {
  const cure = error instanceof DiscoveryError && error.hint !== undefined ? { cure: error.hint } : {};
  return { what, status: 'failed', says: errorMessage(error), ...cure };
}

const agent: Look = async ({ client, terminal }) => {
  const begun = performance.now();
  const { body } = await client.agent.self({ signal: terminal.signal });
  const ms = Math.round(performance.now() - begun);
  const { Version, NodeName, Datacenter } = body.Config;
  return {
    what: 'agent',
    status: 'ok',
    says: `Consul ${Version} at ${client.url} answers in ${ms} ms; node ${NodeName}, datacenter ${Datacenter}`,
  };
};

const leader: Look = async ({ client, terminal }) => {
  const found = await client.status.leader({ signal: terminal.signal });
  return found
    ? { what: 'leader', status: 'ok', says: found }
    : {
        what: 'leader',
        status: 'failed',
        says: 'the servers have no leader',
        cure: 'Apps go on with their last known lists; look at the logs of the Consul servers: a majority of them has to run',
      };
};

/** What a right is for, and one that an app may well do without. */
const RIGHTS: readonly (readonly [purpose: string, right: AclRight])[] = [
  ['find every service', { resource: 'service', access: 'read', name: '', isPrefix: true }],
  ['see instances', { resource: 'node', access: 'read', name: '', isPrefix: true }],
  ['read live configuration', { resource: 'key', access: 'read', name: 'config/', isPrefix: true }],
  ['take locks', { resource: 'session', access: 'write', name: '', isPrefix: true }],
];

const rights: Look = async ({ client, terminal: { signal } }) => {
  const asked = RIGHTS.map(([, right]) => right);
  // Consul has it for its own UI, and may have it no longer.
  const allowed = await client.acl.allows(asked, { signal }).catch(() => undefined);
  if (!allowed) return { what: 'token', status: 'ok', says: 'this agent does not tell what it may do' };
  const missing = RIGHTS.filter((_, n) => allowed[n] !== true);
  if (missing.length === 0) {
    const says = `it may ${RIGHTS.map(([purpose]) => purpose).join(', ')}`;
    return { what: 'token', status: 'ok', says };
  }
  return {
    what: 'token',
    status: 'warning',
    says: `it may not ${missing.map(([purpose]) => purpose).join(', ')}`,
    cure: `If the app does that, add ${missing.map(([, right]) => ruleOf(right)).join(' and ')} to its policy; a rule for some names is enough`,
  };
};

const clock: Look = async ({ client, terminal }) => {
  // Only over plain HTTP: the header is not worth a second TLS set-up.
  if (!client.url.startsWith('http://')) return undefined;
  const begun = Date.now();
  const [first = ''] = client.url.split(', ');
  const signal = AbortSignal.any([terminal.signal, AbortSignal.timeout(CONNECT_TIMEOUT_MS)]);
  const response = await fetch(`${first}/v1/status/leader`, { signal });
  await response.arrayBuffer();
  const date = Date.parse(response.headers.get('date') ?? '');
  if (Number.isNaN(date)) return undefined;
  // The header has seconds.
  const skewMs = Math.max(0, Math.abs((begun + Date.now()) / 2 - date) - 1_000);
  const says = `this host and the agent differ by ${skewMs < 1_000 ? 'less than a second' : `${Math.round(skewMs / 1_000)} s`}`;
  return skewMs <= MOST_SKEW_MS
    ? { what: 'clock', status: 'ok', says }
    : {
        what: 'clock',
        status: 'warning',
        says,
        cure: 'Synchronise the clocks: jobs of a leader run by the clock of their host, and certificates are judged by it',
      };
};

const environment: Look = async ({ terminal: { environment: variables } }) => {
  const known = Object.keys(variables)
    .filter((name) => /^(CONSUL_|ROOKERY_)/.test(name))
    .sort();
  const empty = known.filter((name) => variables[name] === '');
  const names = known.join(', ') || 'neither CONSUL_* nor ROOKERY_* is set: the defaults are used';
  return empty.length === 0
    ? { what: 'environment', status: 'ok', says: names }
    : {
        what: 'environment',
        status: 'warning',
        says: `${empty.join(', ')} set, and empty`,
        cure: 'An empty variable counts as not set: remove it, or give it its value',
      };
};

const address: Look = async ({ client, terminal: { signal, environment: variables } }) => {
  const given = variables.ROOKERY_ADDRESS;
  const own = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ internal }) => !internal)
    .map((each) => each.address);
  if (given !== undefined && given !== '') {
    const isOwn = own.includes(given);
    return isOwn
      ? { what: 'address', status: 'ok', says: `ROOKERY_ADDRESS, ${given}, is an address of this host` }
      : {
          what: 'address',
          status: 'warning',
          says: `ROOKERY_ADDRESS, ${given}, is no address of this host (${own.join(', ') || 'it has only loopback'})`,
          cure: 'That is right behind a load balancer or a port mapping; else others cannot reach the app',
        };
  }
  const { body } = await client.agent.self({ signal });
  const of = body.Member.Addr;
  if (of.startsWith('127.'))
    return {
      what: 'address',
      status: 'warning',
      says: `the agent is on ${of}, so apps here register a loopback address`,
      cure: 'Fine for development; for other hosts start the agent with -bind or -advertise, or set ROOKERY_ADDRESS',
    };
  return {
    what: 'address',
    status: 'ok',
    says: `others see this host as ${of}, the address of the agent's node`,
  };
};

const registrations: Look = async ({ client, terminal: { signal } }) => {
  const [{ body: services }, { body: checks }, { body: self }] = await Promise.all([
    client.agent.services({ signal }),
    client.agent.checks.list({ signal }),
    client.agent.self({ signal }),
  ]);
  const problems: string[] = [];
  for (const { ID, Service, Address, Port } of Object.values(services)) {
    if (!DNS_LABEL.test(Service)) problems.push(`"${Service}" is no name that DNS can find`);
    const own = Object.values(checks).filter(({ ServiceID }) => ServiceID === ID);
    if (worstStatus(own) === 'critical')
      problems.push(
        `${ID} is critical: ${own
          .filter(({ Status }) => Status === 'critical')
          .map(({ Output }) => withoutUrlSecrets(Output))
          .join('; ')}`,
      );
    const host = Address === '' ? self.Member.Addr : Address;
    if (Port > 0 && (await probeTcp(host, Port, CONNECT_TIMEOUT_MS)).result !== 'reachable')
      problems.push(`${ID}: ${host}:${Port} accepts no connection from here`);
  }
  const count = Object.keys(services).length;
  return problems.length === 0
    ? { what: 'registrations', status: 'ok', says: `${count} with this agent, and each accepts connections` }
    : {
        what: 'registrations',
        status: 'warning',
        says: problems.slice(0, 5).join(' | '),
        cure: 'rookery status shows all of them; a firewall, a wrong address or port, or an app that is gone',
      };
};

const running: Look = async ({ app, terminal: { signal } }) => {
  if (app === undefined) return undefined;
  const [ready, discovery] = [
    (await readApp(app, '/health/ready', signal)) as { status?: string },
    (await readApp(app, '/discovery', signal)) as { services?: { service: string; usable: number }[] },
  ];
  const unusable = (discovery.services ?? [])
    .filter(({ usable }) => usable === 0)
    .map(({ service }) => service);
  if (ready.status !== 'ok' && ready.status !== 'up')
    return {
      what: 'app',
      status: 'failed',
      says: `${app} is not ready: ${JSON.stringify(ready)}`,
      cure: 'An app is registered once it is ready: see what its health contributors say',
    };
  return unusable.length === 0
    ? {
        what: 'app',
        status: 'ok',
        says: `${app} is ready, and every service that it uses has a usable instance`,
      }
    : {
        what: 'app',
        status: 'failed',
        says: `${app} has no usable instance of ${unusable.join(', ')}`,
        cure: `rookery explain ${unusable[0] ?? ''} --app ${app}`,
      };
};

const LOOKS: readonly (readonly [string, Look])[] = [
  ['environment', environment],
  ['agent', agent],
  ['leader', leader],
  ['token', rights],
  ['clock', clock],
  ['address', address],
  ['registrations', registrations],
  ['app', running],
];
