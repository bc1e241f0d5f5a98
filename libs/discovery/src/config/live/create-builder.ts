import { DiscoveryError } from '../../errors/discovery-error.js';
import type { ResolvedConfigOptions } from '../config-options.js';
import { loadReaders } from '../layers/documents.js';
import { InvalidContent } from '../problem.js';
import { SecretPaths } from '../secret-paths.js';
import { loadValidator } from '../values/validate-values.js';
import { ConfigBuilder } from './build-version.js';

/**
 * Loads the libraries that the options need.
 *
 * @throws DiscoveryError `RK_CONFIG_INVALID` when one is not installed, or the defaults cannot be used
 */
export async function createBuilder(options: ResolvedConfigOptions): Promise<ConfigBuilder> {
  const [readers, validate] = await Promise.all([loadReaders(options.format), loadValidator(options.schema)]);
  try {
    return new ConfigBuilder({ ...options, readers, validate, secrets: new SecretPaths(options.secrets) });
  } catch (error) {
    if (!(error instanceof InvalidContent)) throw error;
    throw new DiscoveryError('RK_CONFIG_INVALID', `${options.names.factory}: ${error.key}: ${error.reason}`);
  }
}
