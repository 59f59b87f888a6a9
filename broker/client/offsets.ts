import { listOffsets } from '../wire/schemas/index.ts';
import { KafkaError } from './error.ts';
import { throwOnError, type WireClient, type WireTopic } from './wire-client.ts';

/** What to ask of each partition: an end of the log, or the first record at or after a time in ms. */
export const EARLIEST = -2;
export const LATEST = -1;

/** Offsets of the given partitions of a topic, by partition; -1 where no record is that new. */
export async function offsetsAt(
  client: WireClient,
  topic: WireTopic,
  partitions: readonly number[],
  timestamp: number,
): Promise<Map<number, number>> {
  const byLeader = new Map<number, number[]>();
  for (const partition of partitions) {
    const leader = topic.leaders.get(partition);
    if (leader === undefined) {
      throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `cannot find ${topic.name}/${partition}`, true);
    }
    byLeader.set(leader, [...(byLeader.get(leader) ?? []), partition]);
  }
  const offsets = new Map<number, number>();
  for (const [leader, wanted] of byLeader) {
    const connection = await client.node(leader);
    const response = await connection.request(
      listOffsets,
      {
        replicaId: -1,
        isolationLevel: 0,
        topics: [
          {
            name: topic.name,
            partitions: wanted.map((partitionIndex) => ({ partitionIndex, timestamp })),
          },
        ],
        timeoutMs: 30_000,
      },
      { versionMax: 7 },
    );
    for (const { partitionIndex, errorCode, offset } of response.topics[0]?.partitions ?? []) {
      throwOnError(errorCode, `list offsets of ${topic.name}/${partitionIndex}`);
      offsets.set(partitionIndex, offset);
    }
  }
  return offsets;
}
