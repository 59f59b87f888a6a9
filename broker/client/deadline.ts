import type { Timers } from '../host/host.ts';
import { KafkaError } from './error.ts';

/** The promise's outcome, or a TIMEOUT after `timeoutMs`; a late outcome is ignored, a late failure too. */
export function deadline<T>(
  timers: Timers,
  promise: Promise<T>,
  timeoutMs: number,
  doing: string,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = timers.after(timeoutMs, () => {
      reject(new KafkaError('TIMEOUT', `cannot ${doing}: no outcome in ${timeoutMs} ms`, true));
    });
    promise.then(
      (value) => {
        cancel();
        resolve(value);
      },
      (error: unknown) => {
        cancel();
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}
