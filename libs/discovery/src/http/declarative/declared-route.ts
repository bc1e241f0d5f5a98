import type { AxiosError, AxiosRequestConfig } from 'axios';
import type { ServiceRequestOptions } from '../service-client.options.js';
import type { PathTemplate } from './path-template.js';
import type { StandardSchema } from '../../configuration/standard-schema.js';

export type RouteMethod = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** How a method of a declarative client makes its request, beside its path and its arguments. */
export interface RouteOptions {
  /** Validates the data of the response; the method returns what the schema makes of it. Default: it is taken as it is. */
  response?: StandardSchema;
  /**
   * The name of another method of the class, which gets the error and the arguments of this one. Its result is that of the call if
   * the call failed, was rejected or could not be made, or the response was not as declared. Default: the call throws.
   */
  fallback?: string;
  /** Errors in place of the `AxiosError`, by the status of the response. Default: none. */
  errors?: Readonly<Record<number, (error: AxiosError) => Error>>;
  /** Other options of axios, such as `headers` and `responseType`. Default: none. */
  config?: Omit<AxiosRequestConfig, 'url' | 'method' | 'data' | 'params' | 'call'>;
}

/** What an argument of a method becomes. */
export type ArgumentRole = 'param' | 'query' | 'body' | 'header' | 'options';

export interface DeclaredArgument {
  readonly role: ArgumentRole;
  /** Undefined: the argument is all of them. */
  readonly name: string | undefined;
  readonly index: number;
}

/** A route, ready to make requests. */
export interface CompiledRoute {
  readonly method: RouteMethod;
  readonly path: string;
  readonly template: PathTemplate;
  readonly options: RouteOptions;
  readonly call: ServiceRequestOptions | undefined;
  /** The arguments that fill the path, in its order. */
  readonly params: readonly number[];
  readonly query: readonly DeclaredArgument[];
  readonly body: readonly DeclaredArgument[];
  readonly headers: readonly DeclaredArgument[];
  readonly callOptions: number | undefined;
}

/** What the decorators of one method say. */
export interface DeclaredRoute {
  readonly property: string;
  /** Several, by mistake. */
  readonly routes: { readonly method: RouteMethod; readonly path: string; readonly options: RouteOptions }[];
  readonly arguments: DeclaredArgument[];
  /** Those of `@CallOptions(...)` on the method. */
  readonly call: ServiceRequestOptions[];
  /** Set when the class is decorated. */
  compiled: CompiledRoute | undefined;
}

/** By the prototype of the class that declares them. */
const declared = new WeakMap<object, Map<string, DeclaredRoute>>();

/** What is declared for a method so far; it begins with its first decorator. */
export function routeOf(prototype: object, property: string): DeclaredRoute {
  let routes = declared.get(prototype);
  if (!routes) declared.set(prototype, (routes = new Map<string, DeclaredRoute>()));
  let route = routes.get(property);
  if (!route)
    routes.set(property, (route = { property, routes: [], arguments: [], call: [], compiled: undefined }));
  return route;
}

/** The methods of a class and of those that it extends, also those that are overridden: `super` reaches them. */
export function routesOf(prototype: object): readonly DeclaredRoute[] {
  const found: DeclaredRoute[] = [];
  for (
    let at: unknown = prototype;
    typeof at === 'object' && at !== null;
    at = Object.getPrototypeOf(at) as unknown
  )
    found.push(...(declared.get(at)?.values() ?? []));
  return found;
}
