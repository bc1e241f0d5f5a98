import { AxiosError, type AxiosResponse } from 'axios';
import { DiscoveryError } from '../../errors/discovery-error.js';
import type { CompiledRoute } from './declared-route.js';
import { issuePath, type StandardIssue, type StandardResult } from '../../configuration/standard-schema.js';

/** As many as a reader takes in. */
const SHOWN_ISSUES = 5;

/**
 * What a method returns for this response.
 *
 * @throws DiscoveryError `RK_INVALID_RESPONSE` when the data is not as declared
 */
export function routeResult(
  { options, method, path }: CompiledRoute,
  where: string,
  response: Pick<AxiosResponse, 'data' | 'call'>,
): unknown {
  const { response: schema } = options;
  const data: unknown = response.data;
  if (!schema) return data;
  const conclude = (result: StandardResult): unknown => {
    if (!result.issues) return result.value;
    const instance = response.call?.attempts.at(-1)?.instance;
    const from = instance === undefined ? '' : ` from ${instance}`;
    const what = `the response of ${method.toUpperCase()} ${path}${from} is not as declared`;
    throw new DiscoveryError('RK_INVALID_RESPONSE', `${where}: ${what}: ${described(result.issues)}`);
  };
  const result = schema['~standard'].validate(data);
  // A schema may have promises of its own kind.
  return 'then' in result ? Promise.resolve(result).then(conclude) : conclude(result);
}

/** Without the values, which may be anybody's. */
function described(issues: readonly StandardIssue[]): string {
  const shown = issues
    .slice(0, SHOWN_ISSUES)
    .map((issue) => `${issuePath(issue) || 'the body'}: ${issue.message}`);
  const more = issues.length - shown.length;
  return shown.join('; ') + (more > 0 ? `; and ${more} more` : '');
}

/** The error that the route declares for the status of the response, if it does. */
export function routeError({ options }: CompiledRoute, error: unknown): unknown {
  if (!(error instanceof AxiosError) || !error.response) return error;
  const create = options.errors?.[error.response.status];
  return create ? create(error) : error;
}
