import type { IncomingMessage } from 'node:http';
import {
  GatewayTimeoutException,
  Injectable,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { Observable } from 'rxjs';
import { runInCall } from '../calling/incoming-call.js';
import type { Clock } from '../timing/clock.js';
import { callOf } from './receive-call.js';

/** Express passes Node's own request, Fastify wraps it. */
type AdapterRequest = IncomingMessage & { readonly raw?: IncomingMessage };

/**
 * Rejects a request with 504 when its caller's deadline passed while it waited for guards, for its body or for the event
 * loop: the work would be wasted. Calls that a handler makes end at the same deadline.
 */
@Injectable()
export class DeadlineInterceptor implements NestInterceptor {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle();
    const request = context.switchToHttp().getRequest<AdapterRequest>();
    const call = callOf(request.raw ?? request);
    if (!call) return next.handle();
    if (call.deadline <= this.#clock.now())
      throw new GatewayTimeoutException("The caller's deadline has passed");
    return new Observable((subscriber) => runInCall(call, () => next.handle().subscribe(subscriber)));
  }
}
