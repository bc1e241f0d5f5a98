import type { Duration } from '@rookery/discovery';
import {
  durationSchema,
  errorMessage,
  invalidConfigError,
  isStandardSchema,
  nonEmptyString,
  type OptionIssue,
  type OptionShape,
  toMilliseconds,
  validateOptions,
} from '@rookery/discovery/adapter';
import { z } from 'zod';
import { resolveAgent, type AgentOptions, type ResolvedAgent } from '../client/agent-options.js';

import { keyIssue } from '../client/api/kv-key.js';
import { parseConfigPath } from './config-path.js';
import { layerPaths, type ConfigFormat } from './layers/layer-paths.js';
import type { ConfigSchema } from './values/validate-values.js';

/** Where the configuration is in Consul, what it has to look like, and what happens without Consul. */
export interface ConsulConfigOptions {
  /** As in `ConsulModule.forRoot`. Default: the environment of the `consul` CLI. */
  agent?: AgentOptions;
  /** The service: it has a tree of its own, which overrides the shared one. Default: none. */
  name?: string;
  /** For each of them there is one more tree, such as `config/inventory,prod/`. Environment: `ROOKERY_PROFILES`, separated by commas. Default: none. */
  profiles?: readonly string[];
  /** What the keys begin with; of several prefixes the later one wins. Default: `'config'`. */
  prefix?: string | readonly string[];
  /** The tree that all services share. Default: `'application'`. */
  sharedName?: string;
  /** Between the name and the profile. Default: `','`, and `'-'` with the format `files`. */
  profileSeparator?: string;
  /** Which wins: the service's own trees over those of all profiles, or those of a profile over those of all services. Default: `'name'`. */
  order?: 'name' | 'profile';
  /** The trees themselves, the least specific first, instead of all that is above. They end with `/`, or with `.` for the format `files`. */
  paths?: readonly string[];
  /**
   * `keys`: each key holds one value. `json`, `yaml`, `properties`: the key `data` of each tree holds a document. `files`: a key for each profile, such
   * as `config/inventory-prod.yml`, with the extension `yml`, `yaml`, `json` or `properties`. Default: `'keys'`.
   */
  format?: ConfigFormat;
  /** The key of the document in each tree. Default: `'data'`. */
  dataKey?: string;
  /**
   * With the formats `keys` and `properties`: whether `100`, `true` and JSON are numbers, booleans and data (`typed`), or whether every
   * value is a text. A secret is always a text. Default: `'typed'`.
   */
  values?: 'typed' | 'text';
  /** Default: that of the agent. */
  datacenter?: string;
  /** Where the values are in `ConfigService`, as with `registerAs` of `@nestjs/config`. Default: at the top. */
  registerAs?: string;
  /** The values that Consul overrides. Default: none. */
  defaults?: object;
  /**
   * What every change is checked with: a Standard Schema (zod, Valibot, ArkType), whose result is used, or a class with the decorators of
   * `class-validator`. Default: none.
   */
  schema?: ConfigSchema;
  /**
   * Paths of values that no event, log, error or health result may show, besides those whose name says so (`password`, `token`, `secret`,
   * `apiKey`, …); `*` stands for one name. Default: none.
   */
  secrets?: readonly string[];
  /**
   * `background`: while Consul is unreachable, the app starts with the snapshot or the defaults, and gets the values when Consul responds.
   * `fail-fast`: it does not start. Default: `'background'`.
   */
  startup?: 'background' | 'fail-fast';
  /** How long the start of the app waits for Consul. Default: `'5s'`. */
  startupTimeout?: Duration;
  /** A directory for a copy of the last good keys, secrets included; only this user can read it. Default: none. */
  snapshotDirectory?: string;
  /** A series of edits is one change: after this time without an edit, and after four times that at the latest. Default: `'250ms'`. */
  debounce?: Duration;
}

export interface ResolvedConfigOptions {
  readonly agent: ResolvedAgent;
  readonly paths: readonly string[];
  readonly format: ConfigFormat;
  readonly dataKey: string;
  readonly values: 'typed' | 'text';
  readonly datacenter: string | undefined;
  readonly namespace: string | undefined;
  readonly defaults: object;
  readonly schema: ConfigSchema | undefined;
  readonly secrets: readonly string[];
  readonly startup: 'background' | 'fail-fast';
  readonly startupTimeoutMs: number;
  readonly snapshotDirectory: string | undefined;
  readonly debounceMs: number;
  readonly environment: NodeJS.ProcessEnv;
}

const segment = (example: string): z.ZodType<string> =>
  nonEmptyString(`must be a part of a key, such as '${example}'`).refine(
    (value) => !value.includes('/') && keyIssue(value) === undefined,
    { error: `must be a part of a key, without a slash, such as '${example}'` },
  );

const PREFIX_HINT =
  "must be the first part of a key, without a slash at its beginning and end, such as 'config' or 'teams/shop/config'";
const prefix = z
  .string({ error: PREFIX_HINT })
  .refine((value) => keyIssue(value) === undefined && !value.endsWith('/'), { error: PREFIX_HINT });

const path = z.string().superRefine((value, context) => {
  try {
    parseConfigPath(value);
  } catch (error) {
    context.addIssue({
      code: 'custom',
      message: `must be a path such as 'database.url': ${errorMessage(error)}`,
    });
  }
});

const optionsSchema = z.strictObject(
  {
    // Validated together with the environment, by resolveAgent.
    agent: z
      .looseObject({}, { error: "must be an object such as { url: 'http://127.0.0.1:8500' }" })
      .optional(),
    name: segment('inventory').optional(),
    profiles: z.array(segment('prod'), { error: "must be a list such as ['prod']" }).optional(),
    prefix: z
      .union([prefix, z.array(prefix).min(1, { error: 'must have at least one prefix' })], {
        error: PREFIX_HINT,
      })
      .optional(),
    sharedName: segment('application').optional(),
    profileSeparator: segment(',').optional(),
    order: z.enum(['name', 'profile'], { error: "must be 'name' or 'profile'" }).optional(),
    paths: z
      .array(
        z.string().refine((value) => /[^/][/.]$/.test(value) && keyIssue(value) === undefined, {
          error: "must be the first part of keys, such as 'config/inventory/'",
        }),
        { error: "must be a list such as ['config/inventory/']" },
      )
      .min(1, { error: 'must have at least one path' })
      .optional(),
    format: z
      .enum(['keys', 'json', 'yaml', 'properties', 'files'], {
        error: "must be 'keys', 'json', 'yaml', 'properties' or 'files'",
      })
      .optional(),
    dataKey: segment('data').optional(),
    values: z.enum(['typed', 'text'], { error: "must be 'typed' or 'text'" }).optional(),
    datacenter: nonEmptyString("must be the name of a datacenter, such as 'dc2'").optional(),
    registerAs: nonEmptyString("must be a name such as 'shop'")
      .refine((value) => !/[./[\]]/.test(value) && value !== '__proto__', {
        error: "must be one name, such as 'shop'",
      })
      .optional(),
    defaults: z.looseObject({}, { error: 'must be an object such as { limits: { rate: 100 } }' }).optional(),
    schema: z
      .custom((value) => typeof value === 'function' || isStandardSchema(value), {
        error:
          'must be a Standard Schema, such as z.object({ ... }) of zod, or a class with decorators of class-validator',
      })
      .optional(),
    secrets: z.array(path, { error: "must be a list such as ['database.url']" }).optional(),
    startup: z.enum(['background', 'fail-fast'], { error: "must be 'background' or 'fail-fast'" }).optional(),
    startupTimeout: durationSchema().optional(),
    snapshotDirectory: nonEmptyString('must be the path of a directory').optional(),
    debounce: durationSchema(0, 60_000).optional(),
  } satisfies OptionShape<ConsulConfigOptions>,
  { error: 'must be an object; {} takes every default' },
);

/** @throws DiscoveryError `RK_CONFIG_INVALID` with every issue of options and environment */
export function resolveConfigOptions(
  options: ConsulConfigOptions,
  environment: NodeJS.ProcessEnv,
): ResolvedConfigOptions {
  const issues: OptionIssue[] = validateOptions(optionsSchema, options);
  const isObject =
    typeof options === 'object' && !issues.some(({ field }) => field === 'agent' || field === 'options');
  const resolution = isObject ? resolveAgent(options.agent, environment) : undefined;
  issues.push(...(resolution?.issues ?? []));
  if (isObject) issues.push(...conflicts(options));
  const profiles =
    options.profiles ?? environment.ROOKERY_PROFILES?.split(',').map((name) => name.trim()) ?? [];
  for (const profile of options.profiles
    ? []
    : profiles.filter((name) => name !== '' && keyIssue(name) !== undefined))
    issues.push({
      field: 'ROOKERY_PROFILES',
      value: JSON.stringify(profile),
      hint: "must be names such as 'prod', separated by commas",
    });
  if (issues.length > 0 || !resolution?.agent) throw invalidConfigError('consulConfig', issues);
  const format = options.format ?? 'keys';
  return {
    agent: resolution.agent,
    format,
    paths: options.paths
      ? [...new Set(options.paths)]
      : layoutOf(
          options,
          format,
          profiles.filter((name) => name !== ''),
        ),
    dataKey: options.dataKey ?? 'data',
    values: options.values ?? 'typed',
    datacenter: options.datacenter,
    namespace: options.registerAs,
    defaults: options.defaults ?? {},
    schema: options.schema,
    secrets: options.secrets ?? [],
    startup: options.startup ?? 'background',
    startupTimeoutMs: toMilliseconds(options.startupTimeout ?? '5s', 'startupTimeout'),
    snapshotDirectory: options.snapshotDirectory,
    debounceMs: toMilliseconds(options.debounce ?? '250ms', 'debounce'),
    environment,
  };
}

function layoutOf(
  options: ConsulConfigOptions,
  format: ConfigFormat,
  profiles: readonly string[],
): readonly string[] {
  const { prefix: prefixes = 'config' } = options;
  const all = layerPaths({
    prefixes: typeof prefixes === 'string' ? [prefixes] : prefixes,
    name: options.name,
    sharedName: options.sharedName ?? 'application',
    profiles,
    profileSeparator: options.profileSeparator ?? (format === 'files' ? '-' : ','),
    order: options.order ?? 'name',
    format,
  });
  return [...new Set(all)];
}

/** Options that have no effect together. */
function conflicts(options: ConsulConfigOptions): OptionIssue[] {
  const ignored = (['name', 'profiles', 'prefix', 'sharedName', 'profileSeparator', 'order'] as const).filter(
    (field) => options.paths !== undefined && options[field] !== undefined,
  );
  return ignored.map((field) => ({ field, hint: 'has no effect together with paths; remove one of them' }));
}
