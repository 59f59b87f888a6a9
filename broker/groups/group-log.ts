/** The coordinator's writing end of `__consumer_offsets`: appends for one group, and the topic kept small. */
import type { Host } from '../host/host.ts';
import type { PartitionLog } from '../log/log.ts';
import type { InternalTopic } from '../state/internal-topic.ts';
import type { BatchProducer, StoredRecord } from '../state/record-batch.ts';
import { CODE } from '../wire/errors.ts';
import type { GroupEntry } from './group-entry.ts';
import type { GroupTable } from './group-table.ts';
import { rewritePartition } from './offsets-rewrite.ts';
import type { RecordKeeper } from './record-keeper.ts';

/** Records of one batch when many are written at once (expiry, deletion). */
const RECORDS_PER_BATCH = 1_000;

export class GroupLog {
  readonly topic: InternalTopic;
  readonly keepers: RecordKeeper[] = [];
  /** Partitions with records of a kind that nobody here knows: they are never rewritten. */
  readonly foreign = new Set<number>();
  private readonly host: Host;
  private readonly table: GroupTable;
  private readonly rewriteBytes: number;
  private readonly rewriting = new Set<PartitionLog>();
  /** Size after the last rewrite, bytes. */
  private readonly rewritten = new Map<PartitionLog, number>();
  private stopped = false;

  constructor(topic: InternalTopic, host: Host, table: GroupTable, rewriteBytes: number) {
    this.topic = topic;
    this.host = host;
    this.table = table;
    this.rewriteBytes = rewriteBytes;
  }

  /** Appended in this turn, as part of the producer's transaction if there is one. @returns 0 when durable, else the code for the client */
  async append(
    entry: GroupEntry,
    records: readonly StoredRecord[],
    producer?: BatchProducer,
  ): Promise<number> {
    entry.recorded = true;
    const errorCode = await this.topic.append(entry.groupId, records, producer);
    const partition = this.topic.partitionFor(entry.groupId);
    if (partition && errorCode === CODE.NONE) this.keepSmall(partition);
    return errorCode === CODE.MESSAGE_TOO_LARGE ? CODE.INVALID_COMMIT_OFFSET_SIZE : errorCode;
  }

  /** All in this turn, so that nothing newer comes between; the first failure, if any. */
  async appendAll(entry: GroupEntry, records: readonly StoredRecord[]): Promise<number> {
    const appends: Array<Promise<number>> = [];
    for (let at = 0; at < records.length; at += RECORDS_PER_BATCH) {
      appends.push(this.append(entry, records.slice(at, at + RECORDS_PER_BATCH)));
    }
    const codes = await Promise.all(appends);
    return codes.find((code) => code !== CODE.NONE) ?? CODE.NONE;
  }

  /** Whose group of another kind has this id. */
  ownerOf(groupId: string): RecordKeeper['groups'] {
    return this.keepers.find(({ groups }) => groups?.has(groupId))?.groups;
  }

  stop(): void {
    this.stopped = true;
  }

  /** Once the records are a multiple of what they say. */
  private keepSmall(partition: PartitionLog): void {
    const limit = Math.max(this.rewriteBytes, 2 * (this.rewritten.get(partition) ?? 0));
    if (partition.sizeBytes < limit || this.rewriting.has(partition) || this.stopped) return;
    if (this.holdsOthers(partition)) return;
    this.rewriting.add(partition);
    const ended = rewritePartition(
      {
        partition,
        entries: () =>
          [...this.table.entries.values()].filter(
            ({ groupId }) => this.topic.partitionFor(groupId) === partition,
          ),
        append: (entry, records) => this.append(entry, records),
        failures: () => this.topic.failures,
        holdsOthers: () => this.holdsOthers(partition),
      },
      this.host,
    );
    void ended
      .catch((error: unknown) => {
        this.host.log.warn(
          { err: error, partition: partition.partition },
          'cannot rewrite __consumer_offsets',
        );
      })
      .finally(() => {
        // What is left is what is true, or what could not be cut: the next try comes at twice that.
        this.rewritten.set(partition, partition.sizeBytes);
        this.rewriting.delete(partition);
      });
  }

  /** Records that memory here does not have would be lost. */
  private holdsOthers({ partition }: PartitionLog): boolean {
    return this.foreign.has(partition) || this.keepers.some((keeper) => keeper.holds(partition));
  }
}
