import { describe, expect, it } from '@jest/globals';
import { validateOptions } from '@rookery/discovery/adapter';
import { connectIssues, connectOptionsSchema, connectSettings } from './connect-options.js';

describe('the options of Consul Connect', () => {
  it.each([{}, { native: true }, { native: false, checks: 'path' }, { checks: 'port', checkPort: 65_535 }])(
    '%j',
    (options) => {
      expect(validateOptions(connectOptionsSchema, options)).toEqual([]);
    },
  );

  it.each([
    [true, /must be an object such as/],
    [{ native: 'yes' }, /must be true or false/],
    [{ checks: 'none' }, /must be 'port' or 'path'/],
    [{ checkPort: 65_536 }, /0 to 65535/],
    [{ port: 1 }, /unknown option/],
  ])('not %j', (options, hint) => {
    expect(validateOptions(connectOptionsSchema, options)).toEqual([
      expect.objectContaining({ hint: expect.stringMatching(hint) }),
    ]);
  });

  const connect = { native: true };
  const web = { name: 'web' };

  it('are for an app with one service, and with enough connections', () => {
    expect(connectIssues({})).toEqual([]);
    expect(connectIssues({ connect: { native: false } })).toEqual([]);
    expect(connectIssues({ connect, service: web })).toEqual([]);
    expect(
      connectIssues({ connect, service: [web, { ...web, port: 2 }], agent: { maxConnections: 100 } }),
    ).toEqual([]);
    expect(connectIssues({ connect })).toEqual([
      { field: 'connect.native', value: 'true', hint: expect.stringMatching(/^needs service.name/) },
    ]);
    expect(connectIssues({ connect, service: [web, { name: 'api' }], agent: { maxConnections: 1 } })).toEqual(
      [
        {
          ...{ field: 'connect.native', value: 'true' },
          hint: expect.stringMatching(/^is for one service, and this app registers web, api/),
        },
        {
          ...{ field: 'agent.maxConnections', value: '1' },
          hint: expect.stringMatching(/^must be at least \d+ with connect.native/),
        },
      ],
    );
    const [tooFew] = connectIssues({ connect, service: web, agent: { maxConnections: 1 } });
    const least = Number(/\d+/.exec(tooFew?.hint ?? '')?.[0]);
    expect(connectIssues({ connect, service: web, agent: { maxConnections: least } })).toEqual([]);
    expect(connectIssues({ connect, service: web, agent: { maxConnections: least - 1 } })).toHaveLength(1);
  });

  it('have their defaults, where the app is a part of the mesh', () => {
    expect(connectSettings({})).toBeUndefined();
    expect(connectSettings({ connect, service: [] })).toBeUndefined();
    expect(connectSettings({ connect: { native: false }, service: web })).toBeUndefined();
    expect(connectSettings({ connect, service: web })).toEqual({
      service: 'web',
      checks: 'port',
      checkPort: 0,
    });
    expect(
      connectSettings({ connect: { ...connect, checks: 'path', checkPort: 9 }, service: [web] }),
    ).toEqual({
      ...{ service: 'web', checks: 'path', checkPort: 9 },
    });
  });
});
