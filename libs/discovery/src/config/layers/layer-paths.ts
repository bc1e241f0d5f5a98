export type ConfigFormat = 'keys' | 'json' | 'yaml' | 'properties' | 'files';

export interface LayoutOptions {
  readonly prefixes: readonly string[];
  readonly name: string | undefined;
  readonly sharedName: string;
  readonly profiles: readonly string[];
  readonly profileSeparator: string;
  readonly order: 'name' | 'profile';
  readonly format: ConfigFormat;
}

/**
 * The trees of keys that make up the configuration, the least specific first: each is read whole, and a later one overrides
 * an earlier one. The layout is that of Spring Cloud Consul Config: `config/application/`, `config/application,prod/`,
 * `config/inventory/`, `config/inventory,prod/`; with the format `files`, `config/application.` and so on.
 */
export function layerPaths(options: LayoutOptions): readonly string[] {
  const { prefixes, name, sharedName, profiles, order, format } = options;
  const names = [...new Set(name === undefined ? [sharedName] : [sharedName, name])];
  const contexts =
    order === 'name'
      ? names.flatMap((each) => [undefined, ...profiles].map((profile) => ({ each, profile })))
      : [undefined, ...profiles].flatMap((profile) => names.map((each) => ({ each, profile })));
  const end = format === 'files' ? '.' : '/';
  return prefixes.flatMap((prefix) =>
    contexts.map(({ each, profile }) => {
      const suffix = profile === undefined ? '' : options.profileSeparator + profile;
      return `${prefix === '' ? '' : `${prefix}/`}${each}${suffix}${end}`;
    }),
  );
}
