import { DiscoveryError } from '../../errors/discovery-error.js';
import type { ServiceRequestOptions } from '../service-client.options.js';
import { routeOf, type ArgumentRole } from './declared-route.js';

/** Decorates a parameter of a method. */
export type ArgumentDecorator = (
  target: object,
  property: string | symbol | undefined,
  index: number,
) => void;

/** The argument takes the place of `:name` in the path, encoded. */
export function Param(name: string): ArgumentDecorator {
  return argumentDecorator('param', name);
}

/**
 * The argument is a parameter of the query.
 *
 * @param name none: the argument is an object of all of them
 */
export function Query(name?: string): ArgumentDecorator {
  return argumentDecorator('query', name);
}

/**
 * The argument is the body of the request.
 *
 * @param name it is this property of a body in JSON
 */
export function Body(name?: string): ArgumentDecorator {
  return argumentDecorator('body', name);
}

/**
 * The argument is the value of a header.
 *
 * @param name none: the argument is an object of several headers
 */
export function Header(name?: string): ArgumentDecorator {
  return argumentDecorator('header', name);
}

/**
 * On a method, the options of its calls, over those of the client. On a parameter, without arguments here: the argument is the
 * options of the one call, such as `hashKey`, or a `signal` that cancels it.
 */
export function CallOptions(
  options?: ServiceRequestOptions,
): (target: object, property: string | symbol | undefined, at: number | PropertyDescriptor) => void {
  return (target, property, at) => {
    if (typeof at === 'number') {
      if (options) throw misplaced('@CallOptions({ … })', 'a parameter: there it has no arguments');
      argumentDecorator('options', undefined)(target, property, at);
    } else {
      if (!options)
        throw misplaced('@CallOptions()', `the method ${String(property)}: there it needs the options`);
      routeOf(target, String(property)).call.push(options);
    }
  };
}

function argumentDecorator(role: ArgumentRole, name: string | undefined): ArgumentDecorator {
  return (target, property, index) => {
    if (property === undefined)
      throw misplaced('@Param, @Query, @Body or @Header', 'a parameter of a constructor');
    routeOf(target, String(property)).arguments.push({ role, name, index });
  };
}

function misplaced(decorator: string, where: string): DiscoveryError {
  return new DiscoveryError('RK_CONFIG_INVALID', `${decorator} decorates ${where}`);
}
