/** Records of `__transaction_state`, key and value in Kafka's own schemas, so that its readers understand them. */
import type { ReadRecord, StoredRecord } from '../state/record-batch.ts';
import { Reader } from '../wire/reader.ts';
import { transactionLogKey, transactionLogValue } from '../wire/schemas/transaction-records.ts';
import { decodeVersioned, encodeVersioned } from '../wire/versioned.ts';
import { WireError } from '../wire/wire-error.ts';
import { byTopic, placesOf } from './place.ts';
import { NO_EPOCH, STATES, type TransactionValue, type TransactionVersion } from './transaction-value.ts';

const KEY_VERSION = 0;
/** The first that has previous and next producer id, as tagged fields. */
const VALUE_VERSION = 1;

/** A null value deletes. */
export function transactionRecord(transactionalId: string, value: TransactionValue | null): StoredRecord {
  const key = encodeVersioned(KEY_VERSION, transactionLogKey, { transactionalId });
  return { key, value: value && encodeValue(value) };
}

function encodeValue(value: TransactionValue): Buffer {
  return encodeVersioned(VALUE_VERSION, transactionLogValue, {
    producerId: value.producerId,
    previousProducerId: value.previousProducerId,
    nextProducerId: value.nextProducerId,
    producerEpoch: value.producerEpoch,
    transactionTimeoutMs: value.timeoutMs,
    transactionStatus: STATES.indexOf(value.state),
    transactionPartitions:
      value.state === 'Empty'
        ? null
        : [...byTopic(value.partitions)].map(([topic, partitionIds]) => ({ topic, partitionIds })),
    transactionLastUpdateTimestampMs: value.updatedMs,
    transactionStartTimestampMs: value.startMs,
    clientTransactionVersion: value.version,
  });
}

/**
 * Undefined for kinds of record that this coordinator does not know.
 * @throws WireError
 */
export function readTransactionRecord(
  record: ReadRecord,
): { transactionalId: string; value: TransactionValue | null } | undefined {
  if (record.key === null) return undefined;
  const key = new Reader(record.key);
  if (key.int16() !== KEY_VERSION) return undefined;
  const { transactionalId } = transactionLogKey.decode(key, KEY_VERSION);
  return { transactionalId, value: record.value && readValue(record.value) };
}

function readValue(bytes: Buffer): TransactionValue | null {
  const read = decodeVersioned(bytes, transactionLogValue);
  const state = STATES[read.transactionStatus];
  if (state === 'Dead') return null;
  if (state === undefined || state === 'PrepareEpochFence') {
    throw new WireError(`cannot read a transaction: got status ${read.transactionStatus}`);
  }
  return {
    state,
    producerId: read.producerId,
    producerEpoch: read.producerEpoch,
    lastProducerEpoch: NO_EPOCH,
    previousProducerId: read.previousProducerId,
    nextProducerId: read.nextProducerId,
    timeoutMs: read.transactionTimeoutMs,
    partitions: placesOf(
      (read.transactionPartitions ?? []).flatMap(({ topic, partitionIds }) =>
        partitionIds.map((partition) => ({ topic, partition })),
      ),
    ),
    startMs: read.transactionStartTimestampMs,
    updatedMs: read.transactionLastUpdateTimestampMs,
    version: Math.min(2, Math.max(0, read.clientTransactionVersion)) as TransactionVersion,
  };
}
