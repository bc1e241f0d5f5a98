import type { HttpService } from '@nestjs/axios';
import { DiscoveryError } from '../../errors/discovery-error.js';
import { runBody } from './current-call.js';
import { routeOf, type RouteMethod, type RouteOptions } from './declared-route.js';
import { RouteCall } from './route-call.js';

/** Where the client of an instance is. Nest sets it. */
export const CLIENT = Symbol.for('rookery:declared-client');

/** Decorates a method. */
export type RouteDecorator = (
  target: object,
  property: string | symbol,
  descriptor?: PropertyDescriptor,
) => void;

type Body = (this: { readonly [CLIENT]?: HttpService }, ...args: unknown[]) => unknown;

/**
 * The method makes a GET request.
 *
 * @param path relative to the instance, with the names of parameters: `/books/:id`. Default: `/`
 */
export function Get(path = '', options: RouteOptions = {}): RouteDecorator {
  return routeDecorator('get', path, options);
}

/** The method makes a POST request; see `Get`. */
export function Post(path = '', options: RouteOptions = {}): RouteDecorator {
  return routeDecorator('post', path, options);
}

/** The method makes a PUT request; see `Get`. */
export function Put(path = '', options: RouteOptions = {}): RouteDecorator {
  return routeDecorator('put', path, options);
}

/** The method makes a PATCH request; see `Get`. */
export function Patch(path = '', options: RouteOptions = {}): RouteDecorator {
  return routeDecorator('patch', path, options);
}

/** The method makes a DELETE request; see `Get`. */
export function Delete(path = '', options: RouteOptions = {}): RouteDecorator {
  return routeDecorator('delete', path, options);
}

function routeDecorator(method: RouteMethod, path: string, options: RouteOptions): RouteDecorator {
  return (target, property, descriptor) => {
    const name = String(property);
    if (
      typeof target === 'function' ||
      typeof property === 'symbol' ||
      typeof descriptor?.value !== 'function'
    )
      throw new DiscoveryError(
        'RK_CONFIG_INVALID',
        `@${method} of ${name}: is for methods of instances, with a name`,
      );
    const route = routeOf(target, name);
    route.routes.push({ method, path, options });
    if (route.routes.length > 1) return;
    const body = descriptor.value as Body;
    descriptor.value = function (this: { readonly [CLIENT]?: HttpService }, ...args: unknown[]): unknown {
      const client = this[CLIENT];
      const where = `${this.constructor.name}.${name}`;
      if (!client || !route.compiled) throw notInjected(where);
      return runBody(new RouteCall(route.compiled, where, this, client, args), () => body.apply(this, args));
    };
  };
}

function notInjected(where: string): DiscoveryError {
  return new DiscoveryError('RK_INVALID_ARGUMENT', `${where}: this object has no client`, {
    hint: "Inject it, instead of creating it with new; and the class needs @ServiceClient('the name of the service')",
  });
}
