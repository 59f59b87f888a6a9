/** The coordinator's writing end of `__consumer_offsets`, which compaction keeps small. */
import type { InternalTopic } from '../state/internal-topic.ts';
import type { BatchProducer, StoredRecord } from '../state/record-batch.ts';
import { CODE } from '../wire/errors.ts';
import type { GroupEntry } from './group-entry.ts';
import type { RecordKeeper } from './record-keeper.ts';

/** Records of one batch when many are written at once (expiry, deletion). */
const RECORDS_PER_BATCH = 1_000;

export class GroupLog {
  readonly topic: InternalTopic;
  readonly keepers: RecordKeeper[] = [];

  constructor(topic: InternalTopic) {
    this.topic = topic;
  }

  /** Appended in this turn, as part of the producer's transaction if there is one. @returns 0 when durable, else the code for the client */
  async append(
    entry: GroupEntry,
    records: readonly StoredRecord[],
    producer?: BatchProducer,
  ): Promise<number> {
    entry.recorded = true;
    const errorCode = await this.topic.append(entry.groupId, records, producer);
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
}
