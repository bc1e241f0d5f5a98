import { describe, expect, it } from '@jest/globals';
import {
  ConsulModule,
  type ConsulModuleOptions,
  DiscoveryError,
  HealthContributor,
  ServiceClient,
  type ServiceClientOptions,
} from '@rookery/consul';
import { createApp, rootModule } from './test-app.js';

/** The message of the error with which the app does not start. */
async function errorFor(options: unknown): Promise<string> {
  const module = ConsulModule.forRoot(options as ConsulModuleOptions);
  const failure: unknown = await createApp(rootModule([module])).then(
    async ({ app }) => app.close(),
    (error: unknown) => error,
  );
  if (!(failure instanceof DiscoveryError)) throw new Error(`no DiscoveryError, but ${String(failure)}`);
  expect(failure.code).toBe('RK_CONFIG_INVALID');
  return failure.message;
}

const service = (rest: object): object => ({ service: { name: 'books', ...rest } });
const check = (rest: object): object => service({ check: { type: 'http', interval: '10s', ...rest } });

const HTTP = { type: 'http', interval: '10s' } as const;
const TTL = { type: 'ttl' } as const;

describe('wrong options', () => {
  it('are reported all at once, each with its field, its value and its cure', async () => {
    const message = await errorFor({
      agent: { url: 'ftp://consul', tokenFile: 7 },
      service: { name: '', port: 70_000, check: { type: 'http' }, colour: 'red' },
      shutdown: { deregisterTimeout: 'soon' },
    });
    expect(message.split('\n')).toEqual([
      'ConsulModule: 7 options are wrong',
      expect.stringMatching(/^ {2}- service\.name = "": must be the service's name, such as 'inventory'$/),
      '  - service.port = 70000: must be an integer from 1 to 65535; leave it out to use the port the app listens on',
      expect.stringMatching(
        /^ {2}- service\.check\.interval: is missing; it must be a duration from 1 s to 24 h\. Use milliseconds/,
      ),
      expect.stringMatching(/^ {2}- service\.colour: unknown option; known here: name, id, transport/),
      expect.stringMatching(/^ {2}- shutdown\.deregisterTimeout = "soon": must be a duration/),
      expect.stringMatching(/^ {2}- agent\.url = "ftp:\/\/consul": must be an agent's address/),
      expect.stringMatching(/^ {2}- agent\.tokenFile = \(not shown\): must be the path of a file/),
    ]);
  });

  it.each([
    ['options', 'text', /^ {2}- options = "text": must be an object/m],
    [
      'an unknown section',
      { servce: {} },
      /servce: unknown option; known here: agent, service, alsoRegister, health/,
    ],
    ['a section of the wrong kind', { agent: 'localhost' }, /agent = "localhost": must be an object/],
    [
      'a token file that is not there',
      { agent: { tokenFile: '/no/such' } },
      /agent\.tokenFile.*does not exist/,
    ],
    [
      'a PEM file that is not there',
      { clients: { tls: { caFile: '/no/such' } } },
      /clients\.tls\.caFile = "\/no\/such": must be a readable PEM file, but it does not exist/,
    ],
    [
      'a file that is no PEM file',
      { clients: { services: { search: { tls: { caFile: import.meta.filename } } } } },
      /clients\.services\.search\.tls\.caFile = .*: must be a readable PEM file, but it is no PEM file/,
    ],
    [
      'half of a client certificate',
      { clients: { tls: { certFile: '/no/such' } } },
      /clients\.tls\.certFile = "\/no\/such": must be a readable PEM file/,
    ],
    ['a name that is no text', { service: { name: 7 } }, /service\.name = 7: must be the service's name/],
    ['a blank name', { service: { name: ' ' } }, /service\.name = " "/],
    ['port 0', service({ port: 0 }), /service\.port = 0: must be an integer from 1 to 65535/],
    ['half a port', service({ port: 80.5 }), /service\.port = 80\.5/],
    ['a port as text', service({ port: '80' }), /service\.port = "80"/],
    [
      'an address of all interfaces',
      service({ address: '0.0.0.0' }),
      /service\.address = "0\.0\.0\.0": is not an address/,
    ],
    ['the same in IPv6', service({ address: '[::]' }), /service\.address = "\[::\]": is not an address/],
    [
      'a URL as the address',
      service({ address: 'http://me' }),
      /service\.address = "http:\/\/me": .*without http/,
    ],
    ['a tag that is no text', service({ tags: [1] }), /service\.tags\.0 = 1: must be a string/],
    ['tags that are no array', service({ tags: 'v1' }), /service\.tags = "v1": must be an array of strings/],
    ['61 meta entries', service({ meta: many(61) }), /service\.meta = \{ .*: must have at most 60 entries/],
    ['a long meta key', service({ meta: { ['k'.repeat(129)]: '' } }), /a key must be at most 128 characters/],
    [
      'a long meta value',
      service({ meta: { k: 'ü'.repeat(257) } }),
      /service\.meta\.k = .*at most 512 bytes/,
    ],
    [
      'a meta key with a dot',
      service({ meta: { 'a.b': '' } }),
      /a key may contain letters, digits, - and _ only/,
    ],
    [
      'a default id of a check given to another',
      service({ check: [TTL, { ...HTTP, id: 'ttl-1' }] }),
      /two checks with the same id/,
    ],
    [
      'an id with an empty part',
      service({ id: 'a//b' }),
      /service\.id = "a\/\/b": must not be .* segment between slashes/,
    ],
    [
      'an id that Consul reads as a path',
      service({ id: 'maintenance/x' }),
      /reserved word of Consul's paths/,
    ],
    ['an id with a newline', service({ id: 'a\nb' }), /must not contain control characters/],
    [
      'half a surrogate pair in a tag',
      service({ tags: ['xxx😀'.slice(0, 4)] }),
      /service\.tags\.0 = .*well-formed Unicode/,
    ],
    [
      'the address of all interfaces, in other words',
      service({ address: '0::0' }),
      /is not an address that others can reach/,
    ],
    [
      'a header with a space',
      service({ check: { ...HTTP, headers: { 'X Probe': '1' } } }),
      /is not a header name/,
    ],
    [
      'a port beyond the last',
      service({ check: { type: 'tcp', interval: '1s', address: 'h:70000' } }),
      /at most 65535/,
    ],
    [
      'a path and a URL',
      service({ check: { ...HTTP, path: '/x', url: 'http://h/x' } }),
      /cannot be combined with path/,
    ],
    [
      'a field of another kind of check',
      service({ check: { ...TTL, interval: '10s' } as never }),
      /interval: unknown option; known here: type, ttl, heartbeat/,
    ],
    [
      'a service that is a string',
      { service: 'inventory' as never },
      /service = "inventory": must be an object such as/,
    ],
    ['an alias without a service', service({ check: { type: 'alias' } }), /aliasService.*is missing/],
    ['a TTL of 1 s', service({ check: { ...TTL, ttl: '1s' } }), /from 3 s/],
    ['a malformed network', service({ preferredNetworks: ['10.0.0.0/99'] }), /must be a network such as/],
    ['an empty meta key', service({ meta: { '': '' } }), /a key must not be empty/],
    ['a reserved meta key', service({ meta: { 'consul-x': '' } }), /"consul-" are reserved by Consul/],
    [
      'a meta value that is an object',
      service({ meta: { k: {} } }),
      /service\.meta\.k = .*must be a string, a number/,
    ],
    [
      'a passing weight of 0',
      service({ weights: { passing: 0 } }),
      /service\.weights\.passing = 0: .* 1 to 65535/,
    ],
    ['a weight too large', service({ weights: { passing: 1, warning: 65_536 } }), /weights\.warning = 65536/],
    [
      'a check of unknown type',
      service({ check: { type: 'htpp' } }),
      /service\.check.*types: http, https, tcp/,
    ],
    ['no check', service({ check: [] }), /service\.check.*must have at least one check/],
    ['an interval without a unit', check({ interval: '90' }), /check\.interval = "90": must be a duration/],
    ['an interval in days', check({ interval: '1d' }), /check\.interval = "1d"/],
    ['an interval of 0', check({ interval: '0s' }), /check\.interval = "0s": must be a duration from 1 s/],
    ['an interval that Consul would raise', check({ interval: 1 }), /check\.interval = 1: .* from 1 s/],
    [
      'a reaper that Consul would delay',
      check({ deregisterCriticalServiceAfter: '1s' }),
      /After = "1s": .* from 1 m/,
    ],
    ['a path without a slash', check({ path: 'health' }), /check\.path = "health": must be a path/],
    ['headers of numbers', check({ headers: { 'X-A': 1 } }), /check\.headers\.X-A = 1: must be a string/],
    [
      'an option of another check',
      service({ check: { type: 'tcp', interval: 1e4, path: '/' } }),
      /check\.path: unknown/,
    ],
    [
      'a check in a list',
      service({ check: [{ type: 'tcp' }] }),
      /service\.check\.0\.interval: is missing; it must be a duration/,
    ],
    [
      'a health path with a slash at its end',
      { health: { path: '/health/' } },
      /health\.path = "\/health\/"/,
    ],
  ])('%s', async (_, options, expected) => {
    expect(await errorFor(options)).toMatch(expected);
  });

  it('of @ServiceClient and @HealthContributor are reported where they are used', () => {
    expect(() => ServiceClient('items', { timeout: 'soon' })).toThrow(
      /@ServiceClient\('items'\).*timeout = "soon"/s,
    );
    const typo = { query: { tag: 'v1' } } as ServiceClientOptions;
    expect(() => ServiceClient('items', typo)).toThrow(/query\.tag: unknown option; known here: tags, meta/);
    expect(() => HealthContributor({ groups: ['livenes'] })).toThrow(
      /groups = "livenes": must be 'liveness' or 'readiness', or a custom name/,
    );
  });

  it('never show a password, however wrong they are', async () => {
    for (const url of [
      'me:PASSWORD@consul/ui',
      'http://me:pa/PASSWORD@host',
      'http:/me:PASSWORD@h:1',
      'http://me:P@SS@PASSWORD@h:1x',
    ]) {
      expect(await errorFor({ agent: { url } })).not.toContain('PASSWORD');
    }
  });

  it('of forRootAsync are reported the same way', async () => {
    expect(() => ConsulModule.forRootAsync({})).toThrow(
      /useFactory, useClass, useExisting = 0 of them: use exactly one/,
    );
    const module = ConsulModule.forRootAsync({ useFactory: () => ({ service: { name: '' } }) });
    await expect(createApp(rootModule([module]))).rejects.toThrow(
      /service\.name = "": must be the service's name/,
    );
  });
});

function many(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, 'v']));
}
