/** A cut while it is gathered: records become rows as they come, and what is malformed becomes a dead letter. */
import type { ConsumedBatch, ProduceRecord } from '../../broker/client/port.ts';
import { OtlpError } from '../../broker/records/otlp/error.ts';
import { type Encode, type Encoded } from '../clickhouse/encode.ts';
import { RowBatches, type Source } from '../clickhouse/row-batch.ts';
import type { TimeRule } from '../clickhouse/row-time.ts';
import { deadRecord } from './dead-letter.ts';
import type { PartitionKey } from './ledger.ts';

export class OpenCut {
  readonly batches = new RowBatches();
  readonly ranges = new Map<PartitionKey, { from: number; to: number }>();
  readonly deadLetters: ProduceRecord[] = [];
  readonly counts: Encoded = { kept: 0, redated: 0, expired: 0 };
  private readonly places = new Map<PartitionKey, number>();
  private deadBytes = 0;

  /** Adds the records at or above `next`; returns the next offset to come. */
  add(
    key: PartitionKey,
    source: Source,
    batch: ConsumedBatch,
    next: number,
    encode: Encode,
    rule: TimeRule,
  ): number {
    const place = this.placeOf(key, source);
    let from = -1;
    let to = next;
    for (const record of batch.records) {
      if (record.offset < next) continue;
      if (from === -1) from = record.offset;
      to = record.offset + 1;
      if (record.value === null) continue;
      this.batches.begin();
      try {
        const at = { source: place, offset: record.offset, appendMs: record.timestampMs };
        encode(record.value, at, rule, this.batches, this.counts);
      } catch (error) {
        if (!(error instanceof OtlpError)) throw error;
        this.batches.rollback();
        this.deadLetters.push(deadRecord(source, record, error.message));
        this.deadBytes += record.value.length;
      }
    }
    if (from === -1) return next;
    const range = this.ranges.get(key);
    if (range) range.to = to;
    else this.ranges.set(key, { from, to });
    return to;
  }

  bytes(): number {
    return this.batches.bytes() + this.deadBytes;
  }

  private placeOf(key: PartitionKey, source: Source): number {
    const known = this.places.get(key);
    if (known !== undefined) return known;
    const place = this.batches.source(source);
    this.places.set(key, place);
    return place;
  }
}
