import { Inject, Injectable, type Type } from '@nestjs/common';
import { DiscoveryError } from '../../errors/discovery-error.js';
import { compileRoute } from './compile-route.js';
import { routesOf } from './declared-route.js';
import { CLIENT } from './route-decorators.js';

/** Nest's mark of a provider. */
const INJECTABLE = '__injectable__';

/**
 * Makes a class a client: its methods make the requests that their decorators say, with the client of the token.
 *
 * @throws DiscoveryError `RK_CONFIG_INVALID` with all that is wrong with the class
 */
export function makeClientClass(target: Type, decorator: string, token: string): void {
  const prototype = target.prototype as object;
  const routes = routesOf(prototype);
  const mistakes: string[] = [];
  for (const route of routes) {
    const result = compileRoute(route, prototype);
    if ('route' in result) route.compiled = result.route;
    else
      mistakes.push(...result.mistakes.map((mistake) => `  - ${target.name}.${route.property} ${mistake}`));
  }
  if (routes.length === 0)
    mistakes.push(
      `  - no method has @Get, @Post, @Put, @Patch or @Delete of "@rookery/consul/client": those of Nest are for controllers`,
    );
  if (mistakes.length > 0)
    throw new DiscoveryError(
      'RK_CONFIG_INVALID',
      `${decorator} on the class ${target.name}:\n${mistakes.join('\n')}`,
    );
  // It may have a scope, which a second decorator would take from it.
  if (!Reflect.hasOwnMetadata(INJECTABLE, target)) Injectable()(target);
  Inject(token)(prototype, CLIENT);
}
