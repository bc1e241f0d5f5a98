import type { Observable } from 'rxjs';
import { DiscoveryError } from '../../errors/discovery-error.js';
import type { RouteCall } from './route-call.js';

/** That of the method whose body runs. It does so synchronously, up to its `call()`. */
let current: RouteCall | undefined;

export function runBody<T>(call: RouteCall, body: () => T): T {
  const outer = current;
  current = call;
  try {
    return body();
  } finally {
    current = outer;
  }
}

/**
 * Makes the request of a method of a declarative client, inside of this method.
 *
 * @example
 * ```ts
 * @Get('/books/:id')
 * find(@Param('id') id: string): Promise<Book> {
 *   return call(id);
 * }
 * ```
 * @typeParam T of the data
 * @param args the arguments of the request, in the order of the method's parameters. None: those that the method was called with
 * @throws AxiosError as the service client does; or what the option `errors` says
 * @throws DiscoveryError `RK_INVALID_RESPONSE` when the data is not as the option `response` says, `RK_INVALID_ARGUMENT` for an argument that
 * cannot be a part of the path
 */
export function call<T>(...args: readonly unknown[]): Promise<T> {
  return running('call').promise(args) as Promise<T>;
}

/** As `call`, with an Observable: each subscription makes the request, and to unsubscribe cancels it. */
export function call$<T>(...args: readonly unknown[]): Observable<T> {
  return running('call$').observable(args) as Observable<T>;
}

function running(name: string): RouteCall {
  if (current) return current;
  throw new DiscoveryError(
    'RK_INVALID_ARGUMENT',
    `${name}() was called outside of a method of a declarative client`,
    {
      hint: 'It is for methods with @Get, @Post, @Put, @Patch or @Delete of a class with @ServiceClient, before their first await',
    },
  );
}
