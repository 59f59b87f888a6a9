import type { Host } from '../../broker/host/host.ts';
import { messageOf } from './rule-file.ts';

const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 5_000;

/** Undefined when stopped before it succeeded. Says the first failure and the recovery. */
export async function untilDone<T>(
  doing: string,
  fn: () => Promise<T>,
  host: Host,
  signal: AbortSignal,
): Promise<T | undefined> {
  let backoffMs = RETRY_MIN_MS;
  let failed = false;
  while (!signal.aborted) {
    try {
      const result = await fn();
      if (failed) host.log.info({}, `could ${doing} again`);
      return result;
    } catch (error) {
      if (!failed) host.log.warn({ error: messageOf(error) }, `cannot ${doing}, trying again`);
      failed = true;
      await host.timers.sleep(backoffMs, signal);
      backoffMs = Math.min(backoffMs * 2, RETRY_MAX_MS);
    }
  }
  return undefined;
}
