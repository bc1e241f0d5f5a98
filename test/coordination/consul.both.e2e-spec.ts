import { afterAll, beforeAll, describe } from '@jest/globals';
import { ConsulModule } from '@rookery/consul';
import { startTestConsul, type TestConsul } from '@rookery/test-support';
import { coordinationCases } from './coordination-cases.js';

describe('locks, semaphores and elections on Consul', () => {
  let consul: TestConsul;
  beforeAll(async () => {
    consul = await startTestConsul();
  });
  afterAll(() => consul.stop());

  const bodyOf = async (path: string): Promise<unknown> => {
    const { status, body } = await consul.request('GET', path);
    return status === 404 ? undefined : body;
  };
  coordinationCases(() => ({
    module: (options) => ConsulModule.forRoot({ agent: { url: consul.url }, ...options }),
    other: {
      put: (key, value) => consul.request('PUT', `/v1/kv/${key}`, value),
      read: async (key) => {
        const found = (await bodyOf(`/v1/kv/${key}`)) as { Value: string }[] | undefined;
        return found && Buffer.from(found[0]?.Value ?? '', 'base64').toString();
      },
      keysOf: async (name) => {
        const keys = ((await bodyOf(`/v1/kv/${name}?keys`)) ?? []) as string[];
        return keys.filter((key) => !key.includes('/ticks/'));
      },
      endSession: (id) => consul.request('PUT', `/v1/session/destroy/${id}`),
      sessions: async () => ((await bodyOf('/v1/session/list')) as { ID: string }[]).map(({ ID }) => ID),
      deleteKeyOf: ({ key }) => consul.request('DELETE', `/v1/kv/${key}`),
    },
  }));
});
