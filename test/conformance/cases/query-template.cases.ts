import type { ConformanceCase } from '../conformance-case.js';

const TEMPLATE = { Type: 'name_prefix_match' };
const WEB = { Name: 'web-one', ID: 'w1', Port: 80, Tags: ['a', 'one'] };

/** A template, and the names that it is asked for. */
const TEMPLATES: readonly (readonly [query: object, ...names: string[]])[] = [
  [
    { Name: 'web-', Template: TEMPLATE, Service: { Service: '${name.full}' } },
    'web-one',
    'web-none',
    'web-',
    'other',
  ],
  [
    {
      Name: 're-',
      Template: { ...TEMPLATE, Regexp: '^re-(.*?)-(.*)$' },
      Service: {
        Service: '${match(1)}-${match(2)}',
        Tags: ['${match(2)}', '${name.suffix}', '${name.prefix}', '${agent.segment}'],
      },
    },
    're-web-one',
    're-x',
  ],
  [
    { Name: 're-', Template: { ...TEMPLATE, Regexp: '^re-(.*)$' }, Service: { Service: '${match(1)}' } },
    're-web-one',
  ],
  [{ Name: 'm-', Template: TEMPLATE, Service: { Service: '${match(0)}${match(5)}x' } }, 'm-q'],
  [{ Name: '', Template: TEMPLATE, Service: { Service: '${name.full}' } }, 'web-one', 'anything'],
  [
    {
      Name: 't-',
      Template: { ...TEMPLATE, RemoveEmptyTags: true },
      Service: { Service: 'x', Tags: ['', '${name.suffix}'] },
    },
    't-',
    't-a',
  ],
  [
    {
      Name: 'all-',
      Template: TEMPLATE,
      Service: {
        Service: 'x',
        Near: '${name.suffix}',
        NodeMeta: { a: '${name.suffix}' },
        ServiceMeta: { b: 'is ${name.suffix}' },
        Failover: { Datacenters: ['${name.suffix}'] },
      },
    },
    'all-q',
  ],
  [{ Name: 'esc-', Template: TEMPLATE, Service: { Service: 'a$${name.full}b' } }, 'esc-q'],
  [{ Name: 'plain-', Template: TEMPLATE, Service: { Service: 'web-one' } }, 'plain-q'],
];

const REFUSED: readonly object[] = [
  { Name: 'b', Template: { ...TEMPLATE, Regexp: '(' }, Service: { Service: 'x' } },
  { Name: 'b', Template: TEMPLATE, Service: { Service: '${nope}' } },
  { Name: 'b', Template: TEMPLATE, Service: { Service: 'a ${name.full} ${nope}' } },
  { Name: 'b', Template: TEMPLATE, Service: { Service: 'x', Tags: ['${nope}'] } },
  { Name: 'b', Template: TEMPLATE, Service: { Service: 'x', NodeMeta: { a: '${nope}' } } },
  { Name: 'b', Template: TEMPLATE, Service: { Service: '${name.full' } },
  { Name: 'b', Template: { Type: 'x' }, Service: { Service: 'x' } },
  { Name: 'b', Template: TEMPLATE, Service: {} },
];

export const queryTemplateCases: readonly ConformanceCase[] = [
  ...TEMPLATES.flatMap(([query, ...names]) =>
    names.map((name): ConformanceCase => ({
      area: 'query templates',
      name: `${JSON.stringify(query)} for ${name}`,
      observe: async (api) => {
        await api.raw('PUT', '/v1/agent/service/register', WEB);
        return [
          await api.ask('POST', '/v1/query', query),
          await api.ask('GET', '/v1/query'),
          await api.ask('GET', `/v1/query/${name}/explain`),
          await api.ask('GET', `/v1/query/${name}/execute`),
        ];
      },
    })),
  ),
  ...REFUSED.map((query): ConformanceCase => ({
    area: 'query templates',
    name: `${JSON.stringify(query)} is refused`,
    observe: async (api) => [await api.ask('POST', '/v1/query', query), await api.ask('GET', '/v1/query')],
  })),
  {
    area: 'query templates',
    name: 'a query of the name itself wins, then the longest prefix, then the one without a name',
    observe: async (api) => {
      const make = (Name: string, Service: string): Promise<unknown> =>
        api.ask('POST', '/v1/query', { Name, Template: TEMPLATE, Service: { Service } });
      return [
        await make('', 'all ${name.suffix}'),
        await make('', 'second'),
        await make('web-', 'short ${name.suffix}'),
        await make('web-', 'second'),
        await make('web-one-', 'long ${name.suffix}'),
        await api.ask('POST', '/v1/query', { Name: 'web-one', Service: { Service: 'exact' } }),
        ...(await Promise.all(
          ['web-one', 'web-one-two', 'web-x', 'other'].map((name) =>
            api.ask('GET', `/v1/query/${name}/explain`),
          ),
        )),
      ];
    },
  },
  {
    area: 'query templates',
    name: 'a template is read by its id, and not executed by it',
    observe: async (api) => {
      const query = { Name: 'web-', Template: TEMPLATE, Service: { Service: '${name.full}' } };
      const { json } = await api.raw('POST', '/v1/query', query);
      const { ID } = json as { ID: string };
      return [
        await api.ask('GET', `/v1/query/${ID}`),
        await api.ask('GET', `/v1/query/${ID}/explain`),
        await api.ask('GET', `/v1/query/${ID}/execute`),
        await api.ask('PUT', `/v1/query/${ID}`, { ...query, Service: { Service: 'changed' } }),
        await api.ask('GET', '/v1/query/web-q/explain'),
      ];
    },
  },
];
