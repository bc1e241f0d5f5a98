import type { CanActivate, FactoryProvider, ModuleMetadata, Type } from '@nestjs/common';
import {
  durationSchema,
  integer,
  nonEmptyString,
  validateOptions,
  type OptionIssue,
  type OptionShape,
} from '@rookery/discovery/adapter';
import { z } from 'zod';

export interface DashboardOptions {
  /** Where the page is. Below a global prefix of the app. Default: `'/rookery'`. */
  path?: string;
  /** Default: unless `NODE_ENV` is `production`. */
  enabled?: boolean;
  /**
   * Guards of Nest, which decide alone about every request; a page of another site gets nothing in any case. Without one the page is for this host
   * only, and not for what a proxy forwards: set one where a proxy on the same host adds no header (`X-Forwarded-For` and the like). Default: none.
   */
  guards?: readonly (Type<CanActivate> | CanActivate)[];
  /** Modules whose providers the guards need. Default: none. */
  imports?: ModuleMetadata['imports'];
  /** Whether the page can change something: maintenance, drain, uneject. Default: false. */
  operations?: boolean;
  /** `app`: what this app sees. `all`: what all apps with a dashboard see, which are asked by this one: who calls whom, and where they disagree about an instance. Default: `app`. */
  scope?: 'app' | 'all';
  /** How the apps of a system recognise each other, for `scope: 'all'`. All of them need it, whatever their scope is. Default: none. */
  peers?: PeerOptions;
}

export interface PeerOptions {
  /** Shared by all apps, at least 16 characters; it is sent to no one: each request is signed for its host, and for a minute. Or `tls`. */
  secret?: string;
  /**
   * Whether an app is recognised by its client certificate, that of `clients.tls`: the server of each has to ask for one, and to verify it. Default: false.
   */
  tls?: boolean;
  /** The most instances that are asked. Default: 100. */
  limit?: number;
  /** How long one may take to answer. Default: `'1s'`. */
  timeout?: number | string;
}

export interface DashboardAsyncOptions extends Pick<
  DashboardOptions,
  'path' | 'guards' | 'imports' | 'enabled'
> {
  inject?: FactoryProvider['inject'];
  // The arguments are what `inject` names.
  useFactory: (
    ...args: never[]
  ) =>
    | Omit<DashboardOptions, 'path' | 'guards' | 'imports' | 'enabled'>
    | Promise<Omit<DashboardOptions, 'path' | 'guards' | 'imports' | 'enabled'>>;
}

const flag = z.boolean({ error: 'must be true or false' });

export const dashboardOptionsSchema = z.strictObject(
  {
    path: z
      .string({ error: "must be a path such as '/rookery'" })
      .regex(/^(\/[\w.~-]+)+$/, { error: "must be a path such as '/rookery', without a slash at its end" })
      .optional(),
    enabled: flag.optional(),
    guards: z.array(z.unknown(), { error: 'must be an array of guards' }).optional(),
    imports: z.array(z.unknown(), { error: 'must be an array of modules' }).optional(),
    operations: flag.optional(),
    scope: z.enum(['app', 'all'], { error: "must be 'app' or 'all'" }).optional(),
    peers: z
      .strictObject({
        secret: nonEmptyString('must be a text of at least 16 characters')
          .min(16, { error: 'must be at least 16 characters' })
          .optional(),
        tls: flag.optional(),
        limit: integer(1, 1_000).optional(),
        timeout: durationSchema(10, 30_000).optional(),
      } satisfies OptionShape<PeerOptions>)
      .optional(),
  },
  { error: "must be an object such as { path: '/rookery' }" },
);

/** A secret that is wrong is not shown. */
export function dashboardOptionIssues(options: DashboardOptions): OptionIssue[] {
  const issues = validateOptions(dashboardOptionsSchema, options).map((issue) =>
    issue.field === 'peers.secret' ? { ...issue, value: '(not shown)' } : issue,
  );
  // Then it may be no object at all.
  if (issues.length > 0) return issues;
  const { scope, peers } = options;
  if (scope !== 'all' || peers?.secret !== undefined || peers?.tls) return [];
  const hint =
    "is missing: with scope 'all' the apps ask each other, and recognise each other by peers.secret or peers.tls";
  return [{ field: 'peers', hint }];
}
