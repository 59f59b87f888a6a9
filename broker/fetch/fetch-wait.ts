import type { PartitionLog } from '../log/log.ts';
import type { RequestContext } from '../server/broker.ts';
import { onAbort } from '../server/on-abort.ts';
import type { WantedPartition } from './wanted-partition.ts';

/** An answer is parked no longer, whatever the client asks: its connection would be blocked. */
const WAIT_MAX_MS = 30 * 60 * 1000;

/**
 * Resolves when there is reason to answer: an error, nothing to wait for, enough bytes, the time is over, or the
 * connection or the broker ends. For read_committed, bytes count up to the last stable offset.
 */
export async function enoughToAnswer(
  all: readonly WantedPartition[],
  { maxWaitMs, minBytes }: { readonly maxWaitMs: number; readonly minBytes: number },
  readCommitted: boolean,
  context: RequestContext,
): Promise<void> {
  const { clock } = context.broker.host;
  const waitMs = Math.min(maxWaitMs, WAIT_MAX_MS);
  if (waitMs <= 0 || all.length === 0 || all.some(({ settled }) => settled)) return;
  const untilMs = clock.monotonicMs() + waitMs;
  while (!hasBytes(all, minBytes, readCommitted)) {
    const leftMs = untilMs - clock.monotonicMs();
    if (leftMs <= 0 || context.connection.closed.aborted || context.broker.stopping.aborted) return;
    const deleted = await advanced(all, leftMs, context);
    if (deleted) return;
  }
}

/** Deleted while the request was parked, perhaps made again under the same name. */
export function isGone(log: PartitionLog, broker: RequestContext['broker']): boolean {
  return broker.log.topic(log.topic)?.partitions[log.partition] !== log;
}

function hasBytes(all: readonly WantedPartition[], minBytes: number, readCommitted: boolean): boolean {
  if (minBytes <= 0) return true;
  let bytes = 0;
  for (const { log, asked } of all) {
    const before = readCommitted ? log!.lastStableOffset : undefined;
    bytes += log!.availableBytes(asked.fetchOffset, minBytes - bytes, before);
    if (bytes >= minBytes) return true;
  }
  return false;
}

/** Waits for any of the partitions, or the time, or the end; true when a partition is gone. */
function advanced(
  all: readonly WantedPartition[],
  leftMs: number,
  context: RequestContext,
): Promise<boolean> {
  const { broker, connection } = context;
  return new Promise((resolve) => {
    const { topicsVersion } = broker.log;
    const done = (): void => {
      for (const { log } of all) log!.offAdvance(done);
      for (const cancel of cancels) cancel();
      // Of a thousand partitions none can be gone while no topic is.
      resolve(broker.log.topicsVersion !== topicsVersion && all.some(({ log }) => isGone(log!, broker)));
    };
    for (const { log } of all) log!.onAdvance(done);
    const cancels = [
      broker.host.timers.after(Math.ceil(leftMs), done),
      onAbort(connection.closed, done),
      onAbort(broker.stopping, done),
    ];
  });
}
