/** What a ShareFetch waits for: records that are appended, given back or let go, or room for more. */
import type { RequestContext } from '../server/broker.ts';
import { onAbort } from '../server/on-abort.ts';
import type { Delivery } from './delivery.ts';

/** Resolves when something has changed in one of the partitions, or there is no reason to wait any longer. */
export function somethingNew(
  deliveries: readonly Delivery[],
  leftMs: number,
  { broker, connection }: RequestContext,
): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const cancel of cancels) cancel();
      for (const { waiting } of deliveries) waiting.delete(done);
      resolve();
    };
    const cancels = deliveries.map(({ log }) => log.onAdvance(done));
    cancels.push(broker.host.timers.after(Math.ceil(leftMs), done));
    cancels.push(onAbort(connection.closed, done), onAbort(broker.stopping, done));
    for (const { waiting } of deliveries) waiting.add(done);
  });
}
