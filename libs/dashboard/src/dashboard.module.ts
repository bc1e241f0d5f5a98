import {
  Module,
  type DynamicModule,
  type FactoryProvider,
  type OnModuleDestroy,
  type Provider,
} from '@nestjs/common';
import { DiscoveryEvents, DiscoveryService, RegistrationService } from '@rookery/discovery';
import { AppInspector, DiscoverySections, invalidConfigError } from '@rookery/discovery/adapter';
import { createController, createPeerController } from './dashboard.controller.js';
import {
  dashboardOptionIssues,
  type DashboardAsyncOptions,
  type DashboardOptions,
} from './dashboard-options.js';
import { DashboardService } from './dashboard.service.js';

const DASHBOARD_OPTIONS = Symbol.for('rookery:dashboard-options');
const DEFAULT_PATH = '/rookery';

/** A disabled dashboard has no routes at all. */
@Module({})
class DisabledDashboard {}

/**
 * A live page of what this app knows: services and their instances, calls, events, locks, configuration and alerts.
 *
 * @example
 * ```ts
 * DashboardModule.forRoot({ path: '/rookery', guards: [AdminGuard] })
 * ```
 */
@Module({})
export class DashboardModule implements OnModuleDestroy {
  constructor(private readonly service: DashboardService) {}

  /** @throws DiscoveryError `RK_CONFIG_INVALID` with every wrong option, its value and a hint */
  static forRoot(options: DashboardOptions = {}): DynamicModule {
    const issues = dashboardOptionIssues(options);
    if (issues.length > 0) throw invalidConfigError('DashboardModule', issues);
    return assemble(options, [{ provide: DASHBOARD_OPTIONS, useFactory: () => options }]);
  }

  /** Options that depend on other providers; where the page is, and its guards, have to be known before. */
  static forRootAsync(options: DashboardAsyncOptions): DynamicModule {
    const { path, guards, imports, enabled, inject = [], useFactory } = options;
    const create = useFactory as (...args: unknown[]) => DashboardOptions | Promise<DashboardOptions>;
    const resolve: FactoryProvider['useFactory'] = async (...args: unknown[]): Promise<DashboardOptions> => {
      const resolved = { ...(await create(...args)), ...(guards ? { guards } : {}) };
      const issues = dashboardOptionIssues(resolved);
      if (issues.length > 0) throw invalidConfigError('DashboardModule', issues);
      return resolved;
    };
    const known = {
      ...(path === undefined ? {} : { path }),
      ...(guards ? { guards } : {}),
      ...(imports ? { imports } : {}),
      ...(enabled === undefined ? {} : { enabled }),
    };
    return assemble(known, [{ provide: DASHBOARD_OPTIONS, useFactory: resolve, inject }]);
  }

  onModuleDestroy(): void {
    this.service.close();
  }
}

function assemble(
  {
    path = DEFAULT_PATH,
    guards = [],
    imports = [],
    enabled = process.env.NODE_ENV !== 'production',
  }: DashboardOptions,
  options: Provider[],
): DynamicModule {
  if (!enabled) return { module: DisabledDashboard };
  return {
    module: DashboardModule,
    imports,
    controllers: [createPeerController(path), createController(path, guards)],
    providers: [
      ...options,
      {
        provide: DashboardService,
        useFactory: (
          resolved: DashboardOptions,
          discovery: DiscoveryService,
          registration: RegistrationService,
          events: DiscoveryEvents,
          sections: DiscoverySections,
          inspector: AppInspector,
        ) => new DashboardService({ discovery, registration, events, sections, inspector }, resolved, path),
        inject: [
          DASHBOARD_OPTIONS,
          DiscoveryService,
          RegistrationService,
          DiscoveryEvents,
          DiscoverySections,
          AppInspector,
        ],
      },
    ],
  };
}
