import type { IncomingMessage } from 'node:http';
import {
  GatewayTimeoutException,
  Injectable,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { Observable } from 'rxjs';
import { answering } from '../calling/incoming-call.js';
import type { Clock } from '../timing/clock.js';
import { callOf } from './receive-call.js';

/** Express gives Node's own request, Fastify wraps it. */
type AdapterRequest = IncomingMessage & { readonly raw?: IncomingMessage };

/**
 * A request whose caller has given up, while it waited for guards, for its body or for the event loop, is not worth the
 * work: it is refused with 504. The calls that a handler makes end when its caller gives up.
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
    if (call.deadline <= this.#clock.now()) throw new GatewayTimeoutException('Its caller has given up');
    return new Observable((subscriber) => answering(call, () => next.handle().subscribe(subscriber)));
  }
}
