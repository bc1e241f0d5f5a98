/** Nothing was sent, or nothing of it was processed: any call may go to another instance. */
export class NotSentError extends Error {
  readonly syscall = 'connect';
}
