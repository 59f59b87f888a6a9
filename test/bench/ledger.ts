/** What was sent and what was read, matched batch by batch by their offsets, in whatever order they are heard of: pure. */

interface Partition {
  /** What came back of one side and waits for the other: base offset to ms. */
  readonly dueMs: Map<number, number>;
  readonly readMs: Map<number, number>;
  /** Where the reader goes on. */
  next: number;
}

export class Ledger {
  private readonly partitions: readonly Partition[];
  private latencies: number[] = [];
  sent = 0;
  read = 0;

  constructor(partitions: number) {
    this.partitions = Array.from({ length: partitions }, () => ({
      dueMs: new Map(),
      readMs: new Map(),
      next: 0,
    }));
  }

  /** Acknowledged. Latency counts from when it was due. */
  onSent(partition: number, baseOffset: number, records: number, dueMs: number): void {
    this.sent += records;
    const { readMs: read, dueMs: due } = this.partitions[partition]!;
    const readMs = read.get(baseOffset);
    if (readMs === undefined) due.set(baseOffset, dueMs);
    else {
      read.delete(baseOffset);
      this.latencies.push(readMs - dueMs);
    }
  }

  /** @throws when something is missing before it, or was read before */
  onRead(partition: number, baseOffset: number, records: number, readMs: number): void {
    const one = this.partitions[partition]!;
    if (baseOffset !== one.next) {
      throw new Error(
        `cannot account for partition ${partition}: got offset ${baseOffset}, want ${one.next}`,
      );
    }
    one.next = baseOffset + records;
    this.read += records;
    const dueMs = one.dueMs.get(baseOffset);
    if (dueMs === undefined) one.readMs.set(baseOffset, readMs);
    else {
      one.dueMs.delete(baseOffset);
      this.latencies.push(readMs - dueMs);
    }
  }

  /** Of batches that were both sent and read, in ms, since the last call. */
  takeLatencies(): number[] {
    const taken = this.latencies;
    this.latencies = [];
    return taken;
  }

  /** Batches that only one side knows. */
  get unmatched(): number {
    return this.partitions.reduce((sum, { dueMs, readMs }) => sum + dueMs.size + readMs.size, 0);
  }
}
