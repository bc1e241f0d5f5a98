import type { HttpService } from '@nestjs/axios';
import axios, { AxiosError, type AxiosResponse } from 'axios';
import { firstValueFrom, from, Observable, type ObservableInput } from 'rxjs';
import { Cancellation } from '../cancellation.js';
import { ServiceHttpService } from '../service-http.service.js';
import type { CompiledRoute } from './declared-route.js';
import { routeRequest, type RouteRequest } from './route-request.js';
import { routeError, routeResult } from './route-response.js';

type Methods = Record<string, ((...args: unknown[]) => unknown) | undefined>;

/** One call of a method of a declarative client. */
export class RouteCall {
  readonly #route: CompiledRoute;
  readonly #where: string;
  readonly #self: object;
  readonly #client: HttpService;
  readonly #args: readonly unknown[];

  constructor(
    route: CompiledRoute,
    where: string,
    self: object,
    client: HttpService,
    args: readonly unknown[],
  ) {
    this.#route = route;
    this.#where = where;
    this.#self = self;
    this.#client = client;
    this.#args = args;
  }

  /** @param given what takes the place of the method's own arguments */
  async promise(given: readonly unknown[], cancellation?: Cancellation): Promise<unknown> {
    const args = given.length > 0 ? given : this.#args;
    const request = routeRequest(this.#route, this.#where, args);
    if (cancellation) request.config.cancelToken = cancellation.token;
    const { fallback } = this.#route.options;
    if (fallback !== undefined) return this.#withFallback(fallback, request, args);
    return routeResult(this.#route, this.#where, await this.#response(request));
  }

  observable(given: readonly unknown[]): Observable<unknown> {
    return new Observable((subscriber) => {
      const cancellation = new Cancellation();
      this.promise(given, cancellation).then(
        (value) => {
          subscriber.next(value);
          subscriber.complete();
        },
        (error: unknown) => subscriber.error(error),
      );
      return () => {
        // A stream is read after the Observable has completed.
        if (this.#route.options.config?.responseType !== 'stream') cancellation.cancel();
      };
    });
  }

  /** With what the method returns or throws, as it is: a fallback is no response. */
  async #withFallback(name: string, request: RouteRequest, args: readonly unknown[]): Promise<unknown> {
    let failure: unknown;
    try {
      return await routeResult(this.#route, this.#where, await this.#send(request));
    } catch (error) {
      if (axios.isCancel(error) || isAnswer(error)) throw routeError(this.#route, error);
      failure = error;
    }
    return (this.#self as Methods)[name]?.(failure, ...args);
  }

  async #response(request: RouteRequest): Promise<AxiosResponse> {
    try {
      return await this.#send(request);
    } catch (error) {
      throw routeError(this.#route, error);
    }
  }

  #send({ url, data, config }: RouteRequest): Promise<AxiosResponse> {
    const { method } = this.#route;
    const hasData = method === 'post' || method === 'put' || method === 'patch';
    if (!hasData && data !== undefined) config.data = data;
    const args = hasData ? [url, data, config] : [url, config];
    const own = this.#client;
    // Without its Observables; or with those of what a test put in its place.
    const client = (own instanceof ServiceHttpService ? own.axiosRef : own) as unknown as Methods;
    const send = client[method];
    if (!send)
      return Promise.reject(
        new TypeError(`${this.#where}: what replaces the client has no method ${method}`),
      );
    const sending = send.apply(client, args) as Promise<AxiosResponse> | ObservableInput<AxiosResponse>;
    return sending instanceof Promise ? sending : firstValueFrom(from(sending));
  }
}

/** A response that did not count as a failure, such as 404: the call has succeeded. */
function isAnswer(error: unknown): boolean {
  if (!(error instanceof AxiosError) || !error.response) return false;
  return error.response.status < 500 && error.call?.attempts.at(-1)?.reason === undefined;
}
