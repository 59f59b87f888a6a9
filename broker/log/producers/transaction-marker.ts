import {
  attributesOf,
  BATCH_HEADER_BYTES,
  BATCH_PREFIX_BYTES,
  CONTROL,
  CRC_START,
  TRANSACTIONAL,
  writeInt64,
} from '../batch/batch-header.ts';
import { crc32c } from '../batch/crc32c.ts';

/**
 * The control batch that ends a transaction: one record, which takes an offset of its own.
 *
 *     key:   version i16 = 0 | type i16: 0 abort, 1 commit
 *     value: version i16 = 0 | coordinator epoch i32
 *
 * Every length in the record is below 64, so that each varint of it is one byte and the layout is fixed.
 */
export interface TransactionMarker {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly coordinatorEpoch: number;
  readonly commit: boolean;
}

const KEY_BYTES = 4;
const VALUE_BYTES = 6;
/** Attributes, timestamp delta, offset delta, length of the key, length of the value, number of headers. */
const RECORD_BYTES = 6 + KEY_BYTES + VALUE_BYTES;
const KEY_AT = BATCH_HEADER_BYTES + 5;
const VALUE_AT = KEY_AT + KEY_BYTES + 1;

/** The batch of one marker; the log fills in base offset and leader epoch. */
export function encodeMarker(marker: TransactionMarker, timestampMs: number): Buffer {
  const batch = Buffer.alloc(BATCH_HEADER_BYTES + 1 + RECORD_BYTES);
  batch.writeInt32BE(batch.length - BATCH_PREFIX_BYTES, 8);
  batch.writeInt32BE(-1, 12);
  batch.writeInt8(2, 16);
  batch.writeInt16BE(TRANSACTIONAL | CONTROL, 21);
  writeInt64(batch, timestampMs, 27);
  writeInt64(batch, timestampMs, 35);
  writeInt64(batch, marker.producerId, 43);
  batch.writeInt16BE(marker.producerEpoch, 51);
  batch.writeInt32BE(-1, 53);
  batch.writeInt32BE(1, 57);
  batch[BATCH_HEADER_BYTES] = RECORD_BYTES * 2;
  batch[KEY_AT - 1] = KEY_BYTES * 2;
  batch.writeInt16BE(marker.commit ? 1 : 0, KEY_AT + 2);
  batch[VALUE_AT - 1] = VALUE_BYTES * 2;
  batch.writeInt32BE(marker.coordinatorEpoch, VALUE_AT + 2);
  batch.writeUInt32BE(crc32c(batch, CRC_START), 17);
  return batch;
}

/** What a stored batch says of a transaction's end; undefined for every other batch. */
export function markerOf(batch: Buffer): { commit: boolean; coordinatorEpoch: number } | undefined {
  const kinds = TRANSACTIONAL | CONTROL;
  if ((attributesOf(batch) & kinds) !== kinds || batch.length !== BATCH_HEADER_BYTES + 1 + RECORD_BYTES) {
    return undefined;
  }
  return {
    commit: batch.readInt16BE(KEY_AT + 2) === 1,
    coordinatorEpoch: batch.readInt32BE(VALUE_AT + 2),
  };
}
