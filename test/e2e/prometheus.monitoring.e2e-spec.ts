import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  AppProcess,
  ConsulAgent,
  eventually,
  figure,
  freePorts,
  Prometheus,
  tool,
} from '@rookery/test-support';
import { METRICS } from '#libs/discovery/dist/telemetry/metric-table.js';

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const RULES = at('libs/discovery/monitoring/rookery.rules.yml');
const DASHBOARD = at('libs/discovery/monitoring/grafana-dashboard.json');

interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly targets: readonly { readonly expr: string }[];
  }[];
}

/** As the exporter for Prometheus names them, without the unit. */
const KNOWN = new Set(
  Object.values(METRICS).flatMap(({ name, type }) => {
    const plain = name.replaceAll('.', '_');
    if (type === 'histogram') return ['_bucket', '_count', '_sum'].map((suffix) => plain + suffix);
    return type === 'counter' ? [`${plain}_total`] : [plain];
  }),
);

/** The metrics that a query names. */
function metricsOf(query: string): string[] {
  return [
    ...query.matchAll(/\b(rookery_\w+|http_client_request_duration)(\(_seconds\)\?)?(_bucket|_count)?/g),
  ]
    .filter(
      ([, name = '']) =>
        !/^rookery_(service|instance_status|call_outcome|retry_kind|event_type|registry_operation|registry_blocking|config_result)$/.test(
          name,
        ),
    )
    .map(([, name = '', , suffix = '']) => name + suffix);
}

describe('Prometheus reads the sample apps', () => {
  let consul: ConsulAgent;
  let prometheus: Prometheus;
  let storefront: AppProcess;
  let inventories: AppProcess[];
  beforeAll(async () => {
    consul = await ConsulAgent.start();
    const start = async (app: string): Promise<AppProcess> => {
      const [port = 0] = await freePorts(1);
      return AppProcess.start({
        main: at(`apps/${app}/dist/main.js`),
        port,
        environment: { CONSUL_HTTP_ADDR: consul.url },
      });
    };
    inventories = [await start('inventory'), await start('inventory')];
    storefront = await start('storefront');
    const targets = [storefront, ...inventories].map(({ url }) => new URL(url).host);
    prometheus = await Prometheus.start({ targets, rules: [RULES] });
  }, 120_000);
  afterAll(async () => {
    await prometheus.stop();
    await Promise.all([storefront, ...inventories].map((app) => app.kill()));
    await consul.stop();
  });

  it('has rules that promtool takes, and that name metrics of ours', async () => {
    expect(execFileSync(tool('promtool'), ['check', 'rules', RULES], { encoding: 'utf8' })).toContain(
      'SUCCESS',
    );
    const named = metricsOf(readFileSync(RULES, 'utf8'));
    expect(named.length).toBeGreaterThanOrEqual(9);
    for (const name of named) expect(KNOWN).toContain(name);
    const response = await fetch(`${prometheus.url}/api/v1/rules`);
    const { data } = (await response.json()) as {
      data: { groups: { rules: { name: string; lastError?: string }[] }[] };
    };
    const rules = data.groups.flatMap((group) => group.rules);
    expect(rules.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['RookeryTooFewInstances', 'RookeryCallsFailing', 'RookeryListOutdated']),
    );
    for (const { name, lastError = '' } of rules) expect(`${name} ${lastError}`).toBe(`${name} `);
  });

  it('answers every query of the Grafana dashboard', async () => {
    const hasRate = async (): Promise<boolean> => {
      for (let n = 0; n < 20; n++) await (await fetch(`${storefront.url}/books`)).text();
      return (await prometheus.query('rate(rookery_calls_total[1m])')).some(({ value }) => value > 0);
    };
    await eventually(hasRate, { within: 30_000, every: 200 });
    const { panels } = JSON.parse(readFileSync(DASHBOARD, 'utf8')) as Dashboard;
    const empty: string[] = [];
    for (const { title, targets } of panels)
      for (const { expr } of targets) {
        for (const name of metricsOf(expr)) expect(KNOWN).toContain(name);
        const query = expr.replaceAll('$__rate_interval', '1m').replace(/"\$(job|service)"/g, '".*"');
        if ((await prometheus.query(query)).length === 0) empty.push(`${title}: ${query}`);
      }
    const queries = panels.reduce((sum, { targets }) => sum + targets.length, 0);
    figure(
      'prometheus',
      `${queries} queries of ${panels.length} panels, ${queries - empty.length} of them have values`,
    );
    // Nothing is retried, locked or configured here.
    expect(empty.length).toBeLessThan(queries / 2);
    for (const name of [
      'Usable instances',
      'Calls a second',
      'Age of lists',
      'Registered',
      'Requests to the registry',
    ])
      expect(empty.filter((each) => each.startsWith(`${name}:`)).length).toBeLessThanOrEqual(1);
  }, 60_000);

  it('fires when the instances are gone', async () => {
    await Promise.all(inventories.map((app) => app.kill()));
    const killedAt = Date.now();
    const load = setInterval(() => void fetch(`${storefront.url}/books`).catch(() => undefined), 50);
    try {
      const state = async (name: string) =>
        (await prometheus.alerts()).find(
          ({ labels }) =>
            labels.alertname === name && (labels.rookery_service ?? 'inventory') === 'inventory',
        )?.state;
      await eventually(async () => (await state('RookeryTooFewInstances')) === 'firing', {
        within: 120_000,
        every: 500,
      });
      figure(
        'prometheus',
        `RookeryTooFewInstances fires ${Date.now() - killedAt} ms after the last instance was killed, 30 s of it by its rule`,
      );
      await eventually(async () => (await state('RookeryCallsFailing')) !== undefined, {
        within: 60_000,
        every: 500,
      });
    } finally {
      clearInterval(load);
    }
  }, 200_000);
});
