import type { IncomingMessage } from 'node:http';

import type { Host } from '../../../broker/host/host.ts';

/** A sender that is slower than this with what nobody wants loses its connection, and the reason with it. */
const DRAIN_MAX_MS = 5_000;

/**
 * Reads the rest of a request and throws it away: an answer to a sender that still writes is lost with the connection,
 * and with it the reason of the refusal. Resolves at the end, after `bytesMax`, or when time is up.
 */
export function drain(
  request: IncomingMessage,
  bytesMax: number,
  { timers }: Pick<Host, 'timers'>,
): Promise<void> {
  if (request.readableEnded || request.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    let bytes = 0;
    const done = (): void => {
      cancel();
      request.off('data', count).off('end', done).off('close', done).off('error', done);
      resolve();
    };
    const count = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > bytesMax) done();
    };
    const cancel = timers.after(DRAIN_MAX_MS, done);
    request.on('data', count).on('end', done).on('close', done).on('error', done);
    request.resume();
  });
}
