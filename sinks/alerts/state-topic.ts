import type { KafkaClient, ProduceRecord } from '../../broker/client/port.ts';
import { RECORD_BYTES_MAX } from '../../broker/records/headers.ts';
import { ALERTS_TOPIC } from '../../broker/records/topics.ts';
import { applyRecord, emptyState, type StoredState } from './state.ts';

/** The state topic, read to the end that it has now; to where it got when `signal` aborts. */
export async function readState(kafka: KafkaClient, signal: AbortSignal): Promise<StoredState> {
  const state = emptyState();
  let done: () => void = () => undefined;
  const complete = new Promise<void>((resolve) => (done = resolve));
  signal.addEventListener('abort', done, { once: true });
  const reader = await kafka.reader({
    topic: ALERTS_TOPIC,
    from: 'earliest',
    onBatch: (batch) => {
      for (const { key, value } of batch.records) applyRecord(state, key, value);
      return Promise.resolve();
    },
    onCaughtUp: done,
  });
  await complete;
  await reader.close();
  return state;
}

/**
 * Nearly always one batch. State that is too large for one goes in several, intents and alerts first, the
 * position last: windows carry the offsets they reflect, and an alert is not ended by a judgement that lies
 * before its start, so that a crash between two of them is repaired by reading again from the old position.
 */
export function batchesOf(records: readonly ProduceRecord[]): ProduceRecord[][] {
  const batches: ProduceRecord[][] = [];
  let bytes = Infinity;
  for (const record of records) {
    const size = (record.key?.length ?? 0) + (record.value?.length ?? 0) + RECORD_OVERHEAD_BYTES;
    if (bytes + size > RECORD_BYTES_MAX) {
      batches.push([]);
      bytes = 0;
    }
    batches.at(-1)!.push(record);
    bytes += size;
  }
  return batches;
}

/** Lengths, timestamps and the like around key and value, at most. */
const RECORD_OVERHEAD_BYTES = 40;
