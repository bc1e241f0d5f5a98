import { Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { describe, expect, it } from '@jest/globals';
import { DashboardModule } from '@rookery/dashboard';
import { HealthContributor } from '@rookery/discovery';
import { DiscoveryModule } from '@rookery/discovery/adapter';
import { InMemoryRegistry } from '@rookery/discovery/testing';
import { readPage } from '@rookery/test-support';
import { rootModule, startApp } from './test-app.js';

@Injectable()
class Warmup {
  constructor(private readonly indicators: HealthIndicatorService) {}

  @HealthContributor({ groups: ['warmup'] })
  check() {
    return this.indicators.check('warmup').up();
  }
}

interface Layer {
  readonly route?: { readonly path: string; readonly methods: Readonly<Record<string, boolean>> };
}

describe('the page on endpoints', () => {
  it('has every route of an app with all modules, and no other', async () => {
    const imports = [
      DiscoveryModule.forRootAsync({ useFactory: () => ({ registry: new InMemoryRegistry() }) }),
      DashboardModule.forRoot({ peers: { secret: 'of all apps of this test' } }),
    ];
    const { app } = await startApp(rootModule(imports, { providers: [Warmup] }));
    const { router } = app.getHttpAdapter().getInstance() as { router: { stack: readonly Layer[] } };
    const routes = router.stack.flatMap(({ route }) =>
      Object.keys(route?.methods ?? {}).map((method) => `${method.toUpperCase()} ${route?.path}`),
    );
    await app.close();

    const page = readPage('endpoints.md').matchAll(/^### `([A-Z]+) ([^`]+)`$/gm);
    const told = [...page].map(([, method, path]) => `${method} ${path}`);
    const named = routes.map((route) =>
      route.replace('/warmup', '/GROUP').replace(/:[a-z]+$/, (name) => name.slice(1).toUpperCase()),
    );
    expect(named.sort()).toEqual(told.sort());
  });
});
