/**
 * Kafka's `flush.messages` and `flush.ms` for one partition: which batches are acknowledged behind their sync, and how
 * long the others may go without one. Where neither is set, every batch waits.
 */
export class FlushRule {
  /** Since the last batch that waits for its sync. */
  #unsyncedRecords = 0;
  /** End of that batch. */
  #strictEnd = 0;

  /** For the newest batch, of so many records and with the log's new end: 0 when it is acknowledged behind its sync. */
  syncWithinMs(
    records: number,
    { endOffset, highWatermark }: { readonly endOffset: number; readonly highWatermark: number },
    { flushMessages, flushMs }: { readonly flushMessages: number; readonly flushMs: number },
  ): number {
    this.#unsyncedRecords += records;
    // Behind one that waits for its sync all wait: offsets become readable in their order.
    if (this.#unsyncedRecords < flushMessages && this.#strictEnd <= highWatermark) return flushMs;
    this.#unsyncedRecords = 0;
    this.#strictEnd = endOffset;
    return 0;
  }
}
