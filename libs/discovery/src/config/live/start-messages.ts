import { DiscoveryError } from '../../errors/discovery-error.js';
import type { ConfigFormat } from '../layers/layer-paths.js';
import { ignoredKeys } from '../layers/read-layer.js';
import type { ConfigProblem } from '../problem.js';
import type { UnreadLayer } from './first-read.js';
import type { WatchedLayer } from './watched-layer.js';

type Layer = Pick<WatchedLayer, 'path' | 'entries' | 'isDenied'>;

const SHOWN_KEYS = 10;

/** `config/application/ (3), config/inventory/ (0)` */
export function describeLayers(layers: readonly Layer[]): string {
  return layers
    .map(
      ({ path, entries, isDenied }) =>
        `${path} (${isDenied ? 'not allowed' : (entries?.length ?? 'unread')})`,
    )
    .join(', ');
}

/** Why an app cannot start: every value that is wrong, and where values were looked for. */
export function unusableError(
  registry: string,
  problems: readonly ConfigProblem[],
  layers: readonly Layer[],
  failure: UnreadLayer | undefined,
): DiscoveryError {
  const lines = problems.map(({ key, reason }) => `\n  - ${key}: ${reason}`).join('');
  const count = problems.length === 1 ? '1 value is wrong' : `${problems.length} values are wrong`;
  const found = `${count}${lines}\n  read, keys of each tree: ${describeLayers(layers)}`;
  if (!failure)
    return new DiscoveryError(
      'RK_CONFIG_INVALID',
      `The configuration from ${registry} cannot be used: ${found}`,
    );
  return new DiscoveryError(
    'RK_CONFIG_INVALID',
    `Without ${registry} there is no usable configuration: ${found}`,
    {
      hint: `Set defaults for these values, or snapshotDirectory for what was good last. ${failure.error.message}`,
      cause: failure.error,
    },
  );
}

/** Keys that someone may have meant, a line for each tree. */
export function ignoredKeyWarnings(
  layers: readonly Layer[],
  options: { readonly format: ConfigFormat; readonly dataKey: string },
): readonly string[] {
  const { format, dataKey } = options;
  return layers.flatMap(({ path, entries = [] }) => {
    const ignored = ignoredKeys(path, entries, options);
    if (ignored.length === 0) return [];
    const known =
      format === 'files'
        ? 'known extensions: yml, yaml, json, properties'
        : `the format is ${format}, in the key ${path}${dataKey}`;
    return [`ignored: ${ignored.slice(0, SHOWN_KEYS).join(', ')}; ${known}`];
  });
}
