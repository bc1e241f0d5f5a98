import type { Socket } from 'node:net';

/** As the system of an agent that is killed does. Only TCP has a reset. */
export function resetSocket(socket: Socket): void {
  if (socket.remoteAddress === undefined) socket.destroy();
  else socket.resetAndDestroy();
}
