import type { RowBatches, Source } from './row-batch.ts';
import { RowWriter } from './row-writer.ts';

/** The last five columns of every table: where the row came from. */
export function writeSource(
  out: RowWriter,
  batches: RowBatches,
  source: number,
  offset: number,
  index: number,
): void {
  out.raw(batches.encodedSources[source]!);
  out.i64(offset);
  out.u32(index);
}

/** The three columns that all rows of a partition share. */
export function encodeSource({ origin, topic, partition }: Source): Buffer {
  const out = new RowWriter(256);
  out.text(origin);
  out.text(topic);
  out.i32(partition);
  return Buffer.from(out.bytes.subarray(0, out.at));
}
