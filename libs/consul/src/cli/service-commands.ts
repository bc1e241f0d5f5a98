import { setTimeout as delay } from 'node:timers/promises';
import { DiscoveryError } from '@rookery/discovery';
import { closeNames, eachConcurrently, isAborted, withoutUrlSecrets } from '@rookery/discovery/adapter';
import type { ServiceEntry } from '../client/api/types.js';
import { ConsulClient } from '../client/consul-client.js';
import { nextIndex } from '../client/consul-response.js';
import { worstStatus } from '../client/worst-status.js';
import { parseCommand, positionals, type ParsedCommand } from './command-options.js';
import { ProgressBar } from './progress-bar.js';
import { painted, printable, table, toneOf, type Cell } from './table.js';
import { CommandError, type Terminal } from './terminal.js';

const JSON_OPTION = { json: { type: 'boolean' } } as const;
const APP_OPTIONS = { ...JSON_OPTION, app: { type: 'string' } } as const;
const AT_ONCE = 8;
const APP_TIMEOUT_MS = 5_000;

/** `status`: the agent, and what it has. */
export async function status(args: readonly string[], terminal: Terminal): Promise<number> {
  const command = parseCommand(args, JSON_OPTION);
  positionals(command, []);
  return withClient(command, terminal, async (client) => {
    const { signal } = terminal;
    const [self, leader, services, checks] = await Promise.all([
      client.agent.self({ signal }),
      client.status.leader({ signal }).catch(() => undefined),
      client.agent.services({ signal }),
      client.agent.checks.list({ signal }),
    ]);
    const { Version: version, NodeName: node, Datacenter: datacenter } = self.body.Config;
    const all = Object.values(checks.body);
    const instances = Object.values(services.body)
      .map(({ ID, Service, Address, Port }) => {
        const own = all.filter(({ ServiceID }) => ServiceID === ID || ServiceID === '');
        const failing = own.filter(({ Status }) => Status !== 'passing');
        return {
          id: ID,
          service: Service,
          address: `${Address === '' ? self.body.Member.Addr : Address}:${Port}`,
          status: worstStatus(own),
          output: failing.map(({ Name, Output }) => `${Name}: ${withoutUrlSecrets(Output)}`).join('; '),
        };
      })
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    const hasLeader = leader !== undefined && leader !== '';
    if (command.values.json)
      terminal.print(
        `${JSON.stringify({ version, node, datacenter, leader: hasLeader ? leader : null, instances }, null, 2)}\n`,
      );
    else {
      const shown = hasLeader
        ? `leader ${leader}`
        : painted('no leader', terminal.isTerminal ? 'bad' : undefined);
      terminal.print(
        `Consul ${version} at ${client.url}, node ${node}, datacenter ${datacenter}, ${shown}\n\n`,
      );
      terminal.print(
        instances.length === 0
          ? 'No service is registered with this agent.\n'
          : table(
              terminal,
              ['instance', 'service', 'address', 'status', 'what fails'],
              instances.map((each) => [
                each.id,
                each.service,
                each.address,
                stateCell(each.status),
                each.output,
              ]),
            ),
      );
    }
    return hasLeader && instances.every((each) => each.status !== 'critical') ? 0 : 1;
  });
}

/** `services`: all of the datacenter, with their instances by status. */
export async function services(args: readonly string[], terminal: Terminal): Promise<number> {
  const command = parseCommand(args, JSON_OPTION);
  positionals(command, []);
  return withClient(command, terminal, async (client) => {
    const { body } = await client.catalog.services({ signal: terminal.signal });
    const names = Object.keys(body).sort();
    const bar = new ProgressBar(names.length, terminal.progress);
    const rows: {
      service: string;
      passing: number;
      warning: number;
      critical: number;
      maintenance: number;
    }[] = [];
    await eachConcurrently(names, AT_ONCE, async (name) => {
      const counts = { passing: 0, warning: 0, critical: 0, maintenance: 0 };
      const entries = await client.health.service(name, { signal: terminal.signal });
      for (const { Checks } of entries.body) counts[worstStatus(Checks ?? [])]++;
      rows.push({ service: name, ...counts });
      bar.update(rows.length);
    }).finally(() => bar.end());
    rows.sort((a, b) => (a.service < b.service ? -1 : 1));
    if (command.values.json) terminal.print(`${JSON.stringify(rows, null, 2)}\n`);
    else
      terminal.print(
        table(
          terminal,
          ['service', 'passing', 'warning', 'critical', 'maintenance'],
          rows.map(({ service, passing, warning, critical, maintenance }) => [
            service,
            countCell(passing, passing > 0 ? 'passing' : 'critical'),
            countCell(warning, 'warning'),
            countCell(critical, 'critical'),
            countCell(maintenance, 'maintenance'),
          ]),
        ),
      );
    return rows.every(({ passing, warning }) => passing + warning > 0) ? 0 : 1;
  });
}

/** `explain SERVICE`: each instance, its checks and what they say; with `--app` why that app calls it, or does not. */
export async function explain(args: readonly string[], terminal: Terminal): Promise<number> {
  const command = parseCommand(args, APP_OPTIONS);
  const [service = ''] = positionals(command, ['SERVICE']);
  const { app, json } = command.values;
  if (typeof app === 'string') return explainForApp(app, service, terminal, json === true);
  return withClient(command, terminal, async (client) => {
    const { body } = await client.health.service(service, { signal: terminal.signal });
    const instances = body.map(toInstance);
    if (json) terminal.print(`${JSON.stringify({ service, instances }, null, 2)}\n`);
    else if (instances.length === 0) terminal.print(await describeNone(client, service, terminal.signal));
    else
      for (const { id, address, node, status: each, checks } of instances) {
        terminal.print(
          `${printable(id)}  ${printable(address)}  node ${printable(node)}  ${toned(terminal, each)}\n`,
        );
        for (const { name, status: of, output } of checks)
          terminal.print(
            `    ${toned(terminal, of)}  ${printable(name)}${output === '' ? '' : `: ${printable(output)}`}\n`,
          );
      }
    return instances.some((each) => each.status === 'passing' || each.status === 'warning') ? 0 : 1;
  });
}

/** What may be the reason, for a name that Consul lists no instance of. */
async function describeNone(client: ConsulClient, service: string, signal: AbortSignal): Promise<string> {
  // Without the names there is no hint; that there is no instance is known.
  const names = await client.catalog.services({ signal }).then(
    ({ body }) => Object.keys(body),
    () => [],
  );
  const close = closeNames(service, names).map((name) => `"${printable(name)}"`);
  const cure =
    close.length > 0
      ? `Did you mean ${close.join(' or ')}?`
      : 'Is it running and registered? "rookery services" lists those that are; for another datacenter there is --datacenter.';
  return `Consul lists no instance of "${printable(service)}". ${cure}\n`;
}

interface AppExplanation {
  readonly services?: readonly {
    readonly usable: number;
    readonly query: object;
    readonly lists: readonly { readonly source: string; readonly state: string; readonly error?: string }[];
    readonly instances: readonly {
      readonly id: string;
      readonly address: string;
      readonly state: string;
      readonly reason: string;
    }[];
  }[];
}

async function explainForApp(
  app: string,
  service: string,
  terminal: Terminal,
  isJson: boolean,
): Promise<number> {
  const found = (await readApp(
    app,
    `/discovery/${encodeURIComponent(service)}`,
    terminal.signal,
  )) as AppExplanation;
  const explained = found.services ?? [];
  if (isJson) terminal.print(`${JSON.stringify(explained, null, 2)}\n`);
  else if (explained.length === 0) terminal.print(`That app does not use "${service}".\n`);
  else
    for (const { usable, query, lists, instances } of explained) {
      terminal.print(`${usable} of ${instances.length} instances usable, query ${JSON.stringify(query)}\n`);
      for (const { source, state, error } of lists)
        terminal.print(
          `${printable(source)}: ${state}${error === undefined ? '' : `, ${printable(error)}`}\n`,
        );
      terminal.print(
        instances.length === 0
          ? `The registry lists no instance of "${printable(service)}" for that app: is it running and registered?\n`
          : table(
              terminal,
              ['instance', 'address', 'state', 'reason'],
              instances.map((each) => [
                each.id,
                each.address,
                { text: each.state, tone: toneOf(each.state) },
                each.reason,
              ]),
            ),
      );
    }
  return explained.some(({ usable }) => usable > 0) ? 0 : 1;
}

/** Reads an object of JSON from an app. @throws CommandError that says what to do */
export async function readApp(app: string, path: string, signal: AbortSignal): Promise<object> {
  const shown = app.replace(/^.*@/s, '(secret)@');
  if (!URL.canParse(app) || !/^https?:$/.test(new URL(app).protocol))
    throw new CommandError(`--app ${shown}: it is no URL, such as http://127.0.0.1:3000`);
  const url = new URL(path, app);
  if (url.username !== '' || url.password !== '')
    throw new CommandError(`--app ${shown}: a URL with a user or a password cannot be asked. Leave them out`);
  const limit = AbortSignal.any([signal, AbortSignal.timeout(APP_TIMEOUT_MS)]);
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, { signal: limit });
    text = await response.text();
  } catch (error) {
    const { cause } = error as { cause?: unknown };
    throw new CommandError(
      `${url.href} does not answer: ${String((cause as Error | undefined)?.message ?? error)}`,
    );
  }
  if (response.status === 404)
    throw new CommandError(
      `${url.href} answered 404: run this on the host of the app, or set discovery.endpoint.exposure; discovery.endpoint.path may be another one`,
    );
  // An app that is not ready says so with 503.
  if (!response.ok && response.status !== 503)
    throw new CommandError(`${url.href} answered ${response.status}: ${printable(text).slice(0, 200)}`);
  const found = parsed(text);
  if (typeof found === 'object' && found !== null) return found;
  throw new CommandError(`${url.href} answered ${response.status}, and no JSON: is this an app on Rookery?`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** `watch SERVICE`: its instances, and each change of them, until Ctrl-C. */
export async function watchService(args: readonly string[], terminal: Terminal): Promise<number> {
  const command = parseCommand(args, JSON_OPTION);
  const [service = ''] = positionals(command, ['SERVICE']);
  return withClient(command, terminal, async (client) => {
    const { signal } = terminal;
    let known = new Map<string, WatchedInstance>();
    let index: string | undefined;
    let isFirst = true;
    while (!signal.aborted) {
      try {
        const { body, index: next } = await client.health.service(service, {
          signal,
          ...(index === undefined ? {} : { index, wait: '60s' }),
        });
        index = nextIndex(index, next);
        const fresh = new Map(
          // An id is that of one instance on one node.
          body.map(toInstance).map((each) => [`${each.node} ${each.id}`, each] as const),
        );
        for (const change of changes(known, fresh))
          terminal.print(changeLine(change, terminal, command.values.json === true));
        if (isFirst && fresh.size === 0)
          terminal.tell(`no instance of "${service}" is listed; waiting for one\n`);
        known = fresh;
        isFirst = false;
        // Without an index each read returns at once.
        if (index === undefined) await delay(1_000, undefined, { signal }).catch(() => undefined);
      } catch (error) {
        if (isAborted(signal)) break;
        // The first answer decides whether the address and the token are right.
        if (isFirst || !(error instanceof DiscoveryError)) throw error;
        terminal.tell(`${error.message}\n`);
        index = undefined;
        await delay(1_000, undefined, { signal }).catch(() => undefined);
      }
    }
    return 0;
  });
}

type WatchedInstance = ReturnType<typeof toInstance>;

interface InstanceChange {
  readonly id: string;
  readonly node: string;
  readonly address: string;
  /** Undefined: it was not, or is no longer, listed. */
  readonly from: string | undefined;
  readonly to: string | undefined;
}

function changes(
  before: ReadonlyMap<string, WatchedInstance>,
  after: ReadonlyMap<string, WatchedInstance>,
): readonly InstanceChange[] {
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((key) => {
    const [from, to] = [before.get(key), after.get(key)];
    if (from?.status === to?.status && from?.address === to?.address) return [];
    const { id = '', node = '', address = '' } = to ?? from ?? {};
    return { id, node, address, from: from?.status, to: to?.status };
  });
}

function changeLine(
  { id, node, address, from, to }: InstanceChange,
  terminal: Terminal,
  isJson: boolean,
): string {
  const at = new Date().toISOString();
  if (isJson) return `${JSON.stringify({ at, id, node, address, from: from ?? null, to: to ?? null })}\n`;
  const sign = from === undefined ? '+' : to === undefined ? '-' : '~';
  const states = [from, to].flatMap((each) => (each === undefined ? [] : toned(terminal, each)));
  return `${at}  ${sign} ${printable(id)}  ${printable(address)}  ${states.join(' → ')}\n`;
}

function toInstance({ Node, Service, Checks }: ServiceEntry): {
  id: string;
  address: string;
  node: string;
  status: string;
  checks: { name: string; status: string; output: string }[];
} {
  const checks = Checks ?? [];
  return {
    id: Service.ID,
    address: `${Service.Address === '' ? Node.Address : Service.Address}:${Service.Port}`,
    node: Node.Node,
    status: worstStatus(checks),
    checks: checks.map(({ Name, Status, Output }) => ({
      name: Name,
      status: Status,
      output: withoutUrlSecrets(Output),
    })),
  };
}

function stateCell(text: string): Cell {
  return { text, tone: toneOf(text) };
}

function countCell(count: number, statusName: string): Cell {
  return count === 0 && statusName !== 'critical'
    ? { text: '0', tone: 'quiet' }
    : { text: String(count), ...(count === 0 ? {} : { tone: toneOf(statusName) }) };
}

function toned({ isTerminal }: Terminal, text: string): string {
  return painted(text, isTerminal ? toneOf(text) : undefined);
}

/** A client for one command. */
export async function withClient(
  { agent }: ParsedCommand,
  { environment }: Terminal,
  work: (client: ConsulClient) => Promise<number>,
): Promise<number> {
  const client = ConsulClient.create(agent, environment);
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}
