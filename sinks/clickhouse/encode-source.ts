import type { Source } from './row-batch.ts';
import type { RowWriter } from './row-writer.ts';

/** The last five columns of every table. */
export function writeSource(out: RowWriter, source: Source, offset: number, index: number): void {
  out.text(source.origin);
  out.text(source.topic);
  out.i32(source.partition);
  out.i64(offset);
  out.u32(index);
}
