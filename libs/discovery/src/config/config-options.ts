import { type Duration, toMilliseconds } from '../configuration/duration.js';
import { isStandardSchema } from '../configuration/standard-schema.js';
import {
  durationSchema,
  nonEmptyString,
  type OptionIssue,
  type OptionShape,
} from '../configuration/validate-options.js';
import { errorMessage } from '../errors/error-message.js';
import { z } from 'zod';

import type { Clock } from '../timing/clock.js';
import type { ConfigNames, ConfigStore } from './config-store.js';
import { parseConfigPath } from './config-path.js';
import { layerPaths, type ConfigFormat } from './layers/layer-paths.js';
import type { ConfigSchema } from './values/validate-values.js';

/** Where the configuration is in the registry, what it has to look like, and what happens without the registry. */
export interface ConfigOptions {
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
  /** Where the values are in `ConfigService`, as with `registerAs` of `@nestjs/config`. Default: at the top. */
  registerAs?: string;
  /** The values that the registry overrides. Default: none. */
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
   * `background`: while the registry is unreachable, the app starts with the snapshot or the defaults, and gets the values when it responds.
   * `fail-fast`: it does not start. Default: `'background'`.
   */
  startup?: 'background' | 'fail-fast';
  /** How long the start of the app waits for the registry. Default: `'5s'`. */
  startupTimeout?: Duration;
  /** A directory for a copy of the last good keys, secrets included; only this user can read it. Default: none. */
  snapshotDirectory?: string;
  /** A series of edits is one change: after this time without an edit, and after four times that at the latest. Default: `'250ms'`. */
  debounce?: Duration;
}

export interface ResolvedConfigOptions {
  readonly names: ConfigNames;
  /** @param trees how many are watched */
  readonly openStore: (trees: number, clock: Clock) => ConfigStore;
  readonly paths: readonly string[];
  readonly format: ConfigFormat;
  readonly dataKey: string;
  readonly values: 'typed' | 'text';
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

/** What is a key in a registry. */
export interface KeyRules {
  /** Why a key cannot be used; undefined: it can. */
  readonly issue: (key: string) => string | undefined;
  /** What a prefix has to be. */
  readonly prefixHint: string;
}

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

/** The schema of each field of `ConfigOptions`. */
export function configOptionsShape({ issue, prefixHint }: KeyRules): OptionShape<ConfigOptions> {
  const segment = (example: string): z.ZodType<string> =>
    nonEmptyString(`must be a part of a key, such as '${example}'`).refine(
      (value) => !value.includes('/') && issue(value) === undefined,
      { error: `must be a part of a key, without a slash, such as '${example}'` },
    );
  const prefix = z
    .string({ error: prefixHint })
    .refine((value) => value !== '' && issue(value) === undefined && !value.endsWith('/'), {
      error: prefixHint,
    });
  return {
    name: segment('inventory').optional(),
    profiles: z.array(segment('prod'), { error: "must be a list such as ['prod']" }).optional(),
    prefix: z
      .union([prefix, z.array(prefix).min(1, { error: 'must have at least one prefix' })], {
        error: prefixHint,
      })
      .optional(),
    sharedName: segment('application').optional(),
    profileSeparator: segment(',').optional(),
    order: z.enum(['name', 'profile'], { error: "must be 'name' or 'profile'" }).optional(),
    paths: z
      .array(
        z.string().refine((value) => /[^/][/.]$/.test(value) && issue(value) === undefined, {
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
  };
}

/** What the schema of each field cannot see; the fields are valid. */
export function configOptionIssues(
  options: ConfigOptions,
  environment: NodeJS.ProcessEnv,
  { issue }: KeyRules,
): OptionIssue[] {
  const unusable = options.profiles
    ? []
    : profilesOf(options, environment).filter((name) => issue(name) !== undefined || name.includes('/'));
  return [
    ...conflicts(options),
    ...unusable.map((profile) => ({
      field: 'ROOKERY_PROFILES',
      value: JSON.stringify(profile),
      hint: "must be names such as 'prod', separated by commas",
    })),
  ];
}

/** Of valid options. */
export function resolveConfigOptions(
  options: ConfigOptions,
  environment: NodeJS.ProcessEnv,
  { names, openStore }: Pick<ResolvedConfigOptions, 'names' | 'openStore'>,
): ResolvedConfigOptions {
  const format = options.format ?? 'keys';
  return {
    names,
    openStore,
    format,
    paths: options.paths
      ? [...new Set(options.paths)]
      : layoutOf(options, format, profilesOf(options, environment)),
    dataKey: options.dataKey ?? 'data',
    values: options.values ?? 'typed',
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

function profilesOf({ profiles }: ConfigOptions, environment: NodeJS.ProcessEnv): readonly string[] {
  if (profiles) return profiles;
  const names = environment.ROOKERY_PROFILES?.split(',').map((name) => name.trim()) ?? [];
  return names.filter((name) => name !== '');
}

function layoutOf(
  options: ConfigOptions,
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
function conflicts(options: ConfigOptions): OptionIssue[] {
  const ignored = (['name', 'profiles', 'prefix', 'sharedName', 'profileSeparator', 'order'] as const).filter(
    (field) => options.paths !== undefined && options[field] !== undefined,
  );
  return ignored.map((field) => ({ field, hint: 'has no effect together with paths; remove one of them' }));
}
