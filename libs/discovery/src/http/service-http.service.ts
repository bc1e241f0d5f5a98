import { HttpService } from '@nestjs/axios';
import type { AxiosRequestConfig, AxiosResponse } from 'axios';
import { Observable } from 'rxjs';
import { Cancellation } from './cancellation.js';

/** An `HttpService` whose requests go to a service. Only how an unsubscribed request is cancelled is its own: it costs less. */
export class ServiceHttpService extends HttpService {
  protected override makeObservable<T>(
    send: (...args: never[]) => Promise<AxiosResponse<T>>,
    ...args: unknown[]
  ): Observable<AxiosResponse<T>> {
    return new Observable<AxiosResponse<T>>((subscriber) => {
      const own = [...args];
      const config = { ...(own.at(-1) as AxiosRequestConfig | undefined) };
      own[own.length - 1] = config;
      const cancellation = config.cancelToken ? undefined : new Cancellation();
      if (cancellation) config.cancelToken = cancellation.token;
      send(...(own as never[])).then(
        (response) => {
          subscriber.next(response);
          subscriber.complete();
        },
        (error: unknown) => subscriber.error(error),
      );
      return () => {
        // The stream is read after the Observable has completed.
        if (config.responseType !== 'stream') cancellation?.cancel();
      };
    });
  }
}
