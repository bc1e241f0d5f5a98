import {
  Module,
  type DynamicModule,
  type FactoryProvider,
  type OnModuleDestroy,
  type Provider,
} from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import { DiscoveryEvents, DiscoveryService, RegistrationService } from '@rookery/discovery';
import {
  AppInspector,
  DiscoverySections,
  invalidConfigError,
  ServiceRegistry,
  type OptionIssue,
} from '@rookery/discovery/adapter';
import { createController, createPeerController } from './dashboard.controller.js';
import {
  dashboardOptionIssues,
  type DashboardAsyncOptions,
  type DashboardOptions,
} from './dashboard-options.js';
import { DashboardService } from './dashboard.service.js';

const DASHBOARD_OPTIONS = Symbol.for('rookery:dashboard-options');
const DEFAULT_PATH = '/rookery';
const STATIC = ['path', 'guards', 'imports', 'enabled'] as const;

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
    assertNone(dashboardOptionIssues(options));
    return assemble(options, [{ provide: DASHBOARD_OPTIONS, useFactory: () => options }]);
  }

  /** Options that depend on other providers; where the page is, and its guards, have to be known before. */
  static forRootAsync(options: DashboardAsyncOptions): DynamicModule {
    const { inject = [], useFactory, ...known } = options;
    assertNone(dashboardOptionIssues(known));
    const create = useFactory as (...args: unknown[]) => DashboardOptions | Promise<DashboardOptions>;
    const resolve: FactoryProvider['useFactory'] = async (...args: unknown[]): Promise<DashboardOptions> => {
      const resolved = await create(...args);
      // A factory may return anything, or nothing.
      const given = Object(resolved) as object;
      assertNone([
        ...dashboardOptionIssues(resolved),
        ...STATIC.filter((name) => name in given).map((field) => ({
          field,
          hint: 'is known too late from useFactory: give it to forRootAsync itself',
        })),
      ]);
      return resolved;
    };
    return assemble(known, [{ provide: DASHBOARD_OPTIONS, useFactory: resolve, inject }]);
  }

  onModuleDestroy(): void {
    this.service.close();
  }
}

function assertNone(issues: readonly OptionIssue[]): void {
  if (issues.length > 0) throw invalidConfigError('DashboardModule', issues);
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
          registry: ServiceRegistry,
          registration: RegistrationService,
          events: DiscoveryEvents,
          sections: DiscoverySections,
          inspector: AppInspector,
          discovery: DiscoveryService,
          config: ApplicationConfig,
        ) => {
          const place = {
            path,
            hasGuards: guards.length > 0,
            prefix: () => withSlash(config.getGlobalPrefix()),
          };
          return new DashboardService(
            { registry, registration, events, sections, inspector, discovery },
            resolved,
            place,
          );
        },
        inject: [
          ...[DASHBOARD_OPTIONS, ServiceRegistry, RegistrationService, DiscoveryEvents],
          ...[DiscoverySections, AppInspector, DiscoveryService, ApplicationConfig],
        ],
      },
    ],
  };
}

/** Nest keeps a global prefix as it was set: `api` and `/api` are the same. */
function withSlash(prefix: string): string {
  const path = prefix.replace(/^\/+|\/+$/g, '');
  return path === '' ? '' : `/${path}`;
}
