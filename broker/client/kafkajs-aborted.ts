/** A record as kafkajs decodes it. */
export interface FetchedMessage {
  readonly offset: string;
  readonly key: Buffer | null;
  isControlRecord: boolean;
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean };
}

export interface FetchedPartition {
  messages: FetchedMessage[];
  abortedTransactions: ReadonlyArray<{ readonly producerId: string; readonly firstOffset: string }>;
}

/** The second half of a marker's key: version, type. */
const ABORT = 0;

/**
 * Readers of committed records do not see those of aborted transactions: these are marked as control records, which
 * kafkajs passes over and whose offsets it takes as read.
 *
 * Its own filter steps into one aborted transaction for each message. Where an answer begins with the marker of one
 * while another is open, it steps into the first when that is over already, and drops what the producer committed
 * later, up to the end of the answer.
 */
export function hideAborted(partition: FetchedPartition): void {
  const { messages, abortedTransactions } = partition;
  if (!abortedTransactions || abortedTransactions.length === 0) return;
  const coming = abortedTransactions.map(({ producerId, firstOffset }) => ({
    producerId,
    firstOffset: BigInt(firstOffset),
  }));
  coming.sort((a, b) => Number(a.firstOffset - b.firstOffset));
  const aborting = new Set<string>();
  let next = 0;
  for (const message of messages) {
    const offset = BigInt(message.offset);
    for (; next < coming.length && coming[next]!.firstOffset <= offset; next += 1) {
      aborting.add(coming[next]!.producerId);
    }
    const { producerId, inTransaction } = message.batchContext;
    if (!inTransaction || !aborting.has(producerId)) continue;
    if (message.isControlRecord && message.key?.readInt16BE(2) === ABORT) aborting.delete(producerId);
    else message.isControlRecord = true;
  }
  // Nothing is left for the filter that is there.
  partition.abortedTransactions = [];
}
