import type { PartitionLog } from '../log/log.ts';
import type { AnswerOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import type { Chunked } from '../wire/schema.ts';
import type { fetch } from '../wire/schemas/index.ts';

export type PartitionAnswer = AnswerOf<typeof fetch>['responses'][number]['partitions'][number];

/** Empty, not null: clients do not expect null here. */
export const NO_RECORDS: Chunked = { length: 0, chunks: [] };

/** `aborted` is null for readers of everything, who do not ask. */
export function answered(
  index: number,
  log: PartitionLog,
  records: Chunked,
  aborted: PartitionAnswer['abortedTransactions'],
): PartitionAnswer {
  return {
    partitionIndex: index,
    errorCode: CODE.NONE,
    highWatermark: log.highWatermark,
    lastStableOffset: log.lastStableOffset,
    logStartOffset: log.startOffset,
    abortedTransactions: aborted,
    records,
  };
}

/** Without records. */
export function nothing(index: number, log: PartitionLog, readCommitted: boolean): PartitionAnswer {
  return answered(index, log, NO_RECORDS, readCommitted ? [] : null);
}

export function failed(index: number, errorCode: number): PartitionAnswer {
  return {
    partitionIndex: index,
    errorCode,
    highWatermark: -1,
    lastStableOffset: -1,
    logStartOffset: -1,
    abortedTransactions: null,
    records: NO_RECORDS,
  };
}
