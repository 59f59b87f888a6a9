import { fetch } from '../wire/schemas/index.ts';
import { decodeBatches } from './record-batches.ts';
import type { PartitionOffset } from './port.ts';
import { throwOnError, type WireClient } from './wire-client.ts';

/** The last version that names topics. */
const FETCH_VERSION_MAX = 12;
/** More batches than this without a record are not looked through for a time. */
const FETCHES_MAX = 4;

/** Timestamp of the first record at or behind an offset, ms; undefined where none is found soon. Reads a batch. */
export async function timestampFrom(
  client: WireClient,
  { topic: name, partition, offset }: PartitionOffset,
): Promise<number | undefined> {
  const topic = await client.topic(name);
  const connection = await client.node(topic.leaders.get(partition) ?? -1);
  let fetchOffset = offset;
  for (let i = 0; i < FETCHES_MAX; i += 1) {
    const answer = await connection.request(
      fetch,
      {
        maxWaitMs: 0,
        minBytes: 0,
        // The first batch comes whole, however large it is.
        maxBytes: 1,
        isolationLevel: 0,
        topics: [{ topic: name, partitions: [{ partition, fetchOffset, partitionMaxBytes: 1 }] }],
        forgottenTopicsData: [],
      },
      { versionMax: FETCH_VERSION_MAX },
    );
    const found = answer.responses[0]?.partitions[0];
    throwOnError(answer.errorCode || (found?.errorCode ?? 0), `fetch ${name}/${partition}`);
    if (!found?.records || found.records.length === 0) return undefined;
    const { records, nextOffset } = decodeBatches(found.records, fetchOffset, []);
    if (records[0]) return records[0].timestampMs;
    if (nextOffset <= fetchOffset) return undefined;
    fetchOffset = nextOffset;
  }
  return undefined;
}
