import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endWithUs, exited } from './child-processes.js';
import { eventually } from './eventually.js';
import { findTool, HOW_TO_GET_TOOLS } from './find-tool.js';
import { freePorts } from './free-ports.js';

type Tool = Parameters<typeof findTool>[0];

/** The path of a program. @throws Error that says how to get it */
export function tool(name: Tool): string {
  const found = findTool(name);
  if (found === undefined) throw new Error(`there is no ${name} on this machine: ${HOW_TO_GET_TOOLS}`);
  return found;
}

/** A server in a folder of its own, which ends with the tests. */
class Server {
  readonly home = mkdtempSync(join(tmpdir(), 'rookery-monitoring-'));
  #process: ChildProcess | undefined;

  write(name: string, content: string): string {
    const path = join(this.home, name);
    writeFileSync(path, content);
    return path;
  }

  async start(name: Tool, args: readonly string[], ready: string): Promise<void> {
    const log = openSync(join(this.home, 'log'), 'a');
    const started = spawn(tool(name), args, { cwd: this.home, stdio: ['ignore', log, log] });
    closeSync(log);
    endWithUs(started);
    this.#process = started;
    await eventually(
      async () => {
        if (started.exitCode !== null)
          throw new Error(readFileSync(join(this.home, 'log'), 'utf8').slice(-2_000));
        return (await fetch(ready).catch(() => undefined))?.ok === true;
      },
      { within: 30_000, every: 100 },
    );
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL');
    if (this.#process) await exited(this.#process);
    this.#process = undefined;
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.home, { recursive: true, force: true });
  }
}

export interface AlertmanagerAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly status: { readonly state: string };
}

/** A real Alertmanager, which sends what it notifies of to a webhook. */
export class Alertmanager {
  readonly #server = new Server();
  readonly url: string;
  readonly #args: readonly string[];

  private constructor(port: number, webhook: string) {
    this.url = `http://127.0.0.1:${port}`;
    const config = this.#server.write(
      'alertmanager.yml',
      `route:
  receiver: hook
  group_by: ['...']
  group_wait: 1s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: hook
    webhook_configs:
      - url: ${webhook}
        send_resolved: true
`,
    );
    this.#args = [
      `--config.file=${config}`,
      `--storage.path=${join(this.#server.home, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
    ];
  }

  static async start(webhook: string): Promise<Alertmanager> {
    const [port = 0] = await freePorts(1);
    const started = new Alertmanager(port, webhook);
    await started.restart();
    return started;
  }

  async alerts(): Promise<readonly AlertmanagerAlert[]> {
    const response = await fetch(`${this.url}/api/v2/alerts`);
    return (await response.json()) as AlertmanagerAlert[];
  }

  kill(): Promise<void> {
    return this.#server.kill();
  }

  restart(): Promise<void> {
    return this.#server.start('alertmanager', this.#args, `${this.url}/-/ready`);
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }
}

export interface PrometheusOptions {
  /** `host:port` of what has `/metrics`. */
  readonly targets: readonly string[];
  /** Files with rules. */
  readonly rules: readonly string[];
  /** Of an Alertmanager. */
  readonly alertmanager?: string;
}

/** A real Prometheus that scrapes every second. */
export class Prometheus {
  readonly #server = new Server();
  readonly url: string;

  private constructor(readonly port: number) {
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start({ targets, rules, alertmanager }: PrometheusOptions): Promise<Prometheus> {
    const [port = 0] = await freePorts(1);
    const started = new Prometheus(port);
    const config = started.#server.write(
      'prometheus.yml',
      `global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: ${JSON.stringify(rules)}
scrape_configs:
  - job_name: apps
    static_configs:
      - targets: ${JSON.stringify(targets)}
${
  alertmanager === undefined
    ? ''
    : `alerting:
  alertmanagers:
    - static_configs:
        - targets: ${JSON.stringify([new URL(alertmanager).host])}
`
}`,
    );
    await started.#server.start(
      'prometheus',
      [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(started.#server.home, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      `${started.url}/-/ready`,
    );
    return started;
  }

  /** The values of an instant query. @throws Error for a query that Prometheus does not take */
  async query(query: string): Promise<readonly { metric: Record<string, string>; value: number }[]> {
    const response = await fetch(`${this.url}/api/v1/query?query=${encodeURIComponent(query)}`);
    const body = (await response.json()) as {
      status: string;
      error?: string;
      data?: { result: { metric: Record<string, string>; value: [number, string] }[] };
    };
    if (body.status !== 'success') throw new Error(`${query}: ${body.error ?? response.status}`);
    return (body.data?.result ?? []).map(({ metric, value: [, value] }) => ({
      metric,
      value: Number(value),
    }));
  }

  /** The names of the alerts of its rules, and their states. */
  async alerts(): Promise<readonly { labels: Record<string, string>; state: string }[]> {
    const response = await fetch(`${this.url}/api/v1/alerts`);
    return (
      (await response.json()) as { data: { alerts: { labels: Record<string, string>; state: string }[] } }
    ).data.alerts;
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }
}
