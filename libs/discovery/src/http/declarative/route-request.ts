import type { AxiosRequestConfig } from 'axios';
import { DiscoveryError } from '../../errors/discovery-error.js';
import type { ServiceRequestOptions } from '../service-client.options.js';
import type { CompiledRoute, DeclaredArgument } from './declared-route.js';
import { fillPath } from './path-template.js';

/** The options of one call of a declarative client. */
export interface DeclaredCallOptions extends ServiceRequestOptions {
  /** Cancels the call when it aborts. */
  signal?: AbortSignal;
}

export interface RouteRequest {
  readonly url: string;
  readonly data: unknown;
  readonly config: AxiosRequestConfig;
}

type Values = Record<string, unknown>;

/**
 * The request that a method makes with these arguments.
 *
 * @param where `Inventory.find`, for errors
 * @throws DiscoveryError `RK_INVALID_ARGUMENT` for an argument that cannot be a part of a path
 */
export function routeRequest(route: CompiledRoute, where: string, args: readonly unknown[]): RouteRequest {
  const filled = fillPath(
    route.template,
    route.params.map((index) => args[index]),
  );
  if ('wrong' in filled) throw pathError(route, where, filled.wrong, args);
  const config: AxiosRequestConfig = { ...route.options.config };
  const { query, body, headers, callOptions, call } = route;
  if (query.length > 0) config.params = valuesOf(query, args);
  if (headers.length > 0) config.headers = Object.assign({}, config.headers, valuesOf(headers, args));
  const given =
    callOptions === undefined ? undefined : (args[callOptions] as DeclaredCallOptions | undefined);
  if (given) {
    const { signal, ...own } = given;
    if (signal) config.signal = signal;
    config.call = { ...call, ...own };
  } else if (call) config.call = call;
  return { url: filled.path, data: bodyOf(body, args), config };
}

/** Of `@Query() all` and `@Query('page') page`: one object, in which the named ones take precedence. */
function valuesOf(declared: readonly DeclaredArgument[], args: readonly unknown[]): Values {
  const values: Values = {};
  for (const { name, index } of declared) if (name === undefined) Object.assign(values, args[index]);
  for (const { name, index } of declared) {
    const value = args[index];
    if (name !== undefined && value !== undefined) values[name] = value;
  }
  return values;
}

function bodyOf(body: readonly DeclaredArgument[], args: readonly unknown[]): unknown {
  const [first] = body;
  if (!first) return undefined;
  return first.name === undefined ? args[first.index] : valuesOf(body, args);
}

function pathError(
  { template, params, path }: CompiledRoute,
  where: string,
  name: string,
  args: readonly unknown[],
): DiscoveryError {
  const value = args[params[template.names.indexOf(name)] ?? -1];
  const shown =
    typeof value === 'string' ? JSON.stringify(value) : String(value === null ? null : typeof value);
  return new DiscoveryError(
    'RK_INVALID_ARGUMENT',
    `${where}: ${name} = ${shown} cannot be a part of the path ${path}`,
    {
      hint: 'Give it a text, a number or a date that is not empty, . or ..',
    },
  );
}
