import type { CallHandler } from '@nestjs/common';
import { runInCall, type ReceivedCall } from '@rookery/discovery/adapter';
import { Observable } from 'rxjs';

/** Handles a call within what came with it, and ends it with its last message. */
export function handleWithin(
  call: ReceivedCall,
  next: CallHandler,
  isAnswered: () => boolean,
): Observable<unknown> {
  return new Observable((subscriber) => {
    const subscription = runInCall(call, () => next.handle().subscribe(subscriber));
    subscription.add(() => call.end(isAnswered()));
    return subscription;
  });
}
