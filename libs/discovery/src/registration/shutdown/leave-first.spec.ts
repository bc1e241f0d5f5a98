import { describe, expect, it } from '@jest/globals';
import type { AppServers } from '../location/app-servers.js';
import { leaveFirst } from './leave-first.js';

describe('leaveFirst', () => {
  const of = (servers: unknown, steps: string[]): (() => void)[] =>
    leaveFirst(servers as AppServers, async () => {
      await Promise.resolve();
      steps.push('left');
    });

  it('leaves before the HTTP adapter is closed, and no microservice of it', async () => {
    const steps: string[] = [];
    const adapter = { beforeClose: async () => steps.push('closed') };
    const microservice = { close: () => steps.push('microservice') };
    const releases = of({ adapter, microservices: [microservice] }, steps);
    expect(await adapter.beforeClose()).toBe(2);
    expect(steps).toEqual(['left', 'closed']);
    microservice.close();
    expect(steps).toEqual(['left', 'closed', 'microservice']);
    for (const release of releases) release();
    await adapter.beforeClose();
    expect(steps.slice(3)).toEqual(['closed']);
  });

  it('leaves also where the adapter has no such method', async () => {
    const steps: string[] = [];
    const adapter: { beforeClose?: () => unknown } = {};
    of({ adapter, microservices: [] }, steps);
    await adapter.beforeClose?.();
    expect(steps).toEqual(['left']);
  });

  it('leaves before each microservice of an app without HTTP', async () => {
    const steps: string[] = [];
    class Microservice {
      constructor(readonly name: string) {}
      async close(): Promise<void> {
        steps.push(this.name);
      }
    }
    const microservices = [new Microservice('one'), new Microservice('two')];
    const releases = of({ adapter: undefined, microservices }, steps);
    for (const microservice of microservices) await microservice.close();
    expect(steps).toEqual(['left', 'one', 'left', 'two']);
    expect(releases).toHaveLength(2);
  });
});
