import { eventually, readPage, shownExamples } from '@rookery/test-support';
// strategies.md: own strategy
// own-hosts-first.balancer.ts
import { LoadBalancer, type Target } from '@rookery/consul';

/** Instances on hosts of our own, as long as one of them has fewer than ten calls of this app in flight; then all. */
class OwnHostsFirst extends LoadBalancer {
  override pick(targets: readonly Target[]): Target | undefined {
    const own = targets.filter(({ instance, inFlight }) => instance.meta.hosting === 'own' && inFlight < 10);
    const candidates = own.length > 0 ? own : targets;
    const load = ({ inFlight, weight }: Target): number => (inFlight + 1) / weight;
    return candidates.reduce((best, next) => (load(next) < load(best) ? next : best));
  }
}
// strategies.md: end
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DiscoveryService } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { rootModule, startApp, type TestApp } from './test-app.js';

describe('the page on strategies', () => {
  let app: TestApp;
  let discovery: DiscoveryService;

  beforeAll(async () => {
    const registry = new InMemoryRegistry();
    registry.put({ service: 'inventory', port: 1, meta: { hosting: 'own' } });
    registry.put({ service: 'inventory', port: 2, meta: { hosting: 'own' } });
    registry.put({ service: 'inventory', port: 3, meta: { hosting: 'rented' } });
    const imports = [DiscoveryModule.forRootAsync({ useFactory: () => ({ registry }) })];
    app = await startApp(rootModule(imports));
    discovery = app.app.get(DiscoveryService);
  });
  afterAll(() => app.app.close());

  it('shows one that calls hosts of our own while they have room', async () => {
    const held: (() => void)[] = [];
    const ports: number[] = [];
    const calls = Array.from({ length: 21 }, () =>
      discovery.call(
        'inventory',
        ({ port }) =>
          new Promise<void>((resolve) => {
            ports.push(port);
            held.push(resolve);
          }),
        { strategy: OwnHostsFirst },
      ),
    );
    await eventually(() => ports.length === calls.length);
    const counts = [1, 2, 3].map((port) => ports.filter((each) => each === port).length);
    expect(counts).toEqual([10, 10, 1]);
    for (const release of held) release();
    await Promise.all(calls);
  });

  it.each(shownExamples(import.meta.url))('has it word for word: $name', ({ page, text }) => {
    expect(readPage(page)).toContain(text);
  });
});
