import type { ReadPacket } from '@nestjs/microservices';
import type { ServiceInstance } from '@rookery/discovery';
import { isOfRookery } from '@rookery/discovery/adapter';
import { NotSentError } from './not-sent-error.js';

/** The error of a handler that was meant for another service, in a response: nothing was processed. */
export const MISDIRECTED = 'RK_MISDIRECTED';

/**
 * A packet with what its sender says along with it: how long it waits, which service it means, and what travels on. Handlers on Nest 12 read it; those on
 * Nest 11 receive it and do not look. What an application has put there stays.
 */
export function withMetadata(
  packet: ReadPacket,
  instance: ServiceInstance,
  headers: Readonly<Record<string, string>>,
): ReadPacket {
  // Another framework may read packets strictly.
  if (!isOfRookery(instance)) return packet;
  return { ...packet, metadata: { ...headers, ...packet.metadata } };
}

/** Undefined: a response like any other. */
export function misdirection(error: unknown): Error | undefined {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  return code === MISDIRECTED ? new NotSentError(String(message)) : undefined;
}
