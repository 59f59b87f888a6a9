/** Records of `__consumer_offsets`, key and value in Kafka's own schemas, so that its readers understand them. */
import { Reader } from '../wire/reader.ts';
import {
  groupMetadataKey,
  groupMetadataValue,
  offsetCommitKey,
  offsetCommitValue,
} from '../wire/schemas/group-records.ts';
import { decodeVersioned, encodeVersioned } from '../wire/versioned.ts';
import type { CommittedOffset } from './committed-offsets.ts';
import type { GroupValue } from './group-value.ts';
import type { ReadRecord, StoredRecord } from '../state/record-batch.ts';

const OFFSET_KEY_VERSION = 1;
export const GROUP_KEY_VERSION = 2;
/** Version 4 would add the topic id, which readers of before autumn 2025 cannot take. */
const OFFSET_VALUE_VERSION = 3;
const GROUP_VALUE_VERSION = 3;

export type CoordinatorRecord =
  | {
      readonly kind: 'offset';
      readonly groupId: string;
      readonly topic: string;
      readonly partition: number;
      /** Null deletes. */
      readonly value: CommittedOffset | null;
    }
  | {
      readonly kind: 'group';
      readonly groupId: string;
      readonly value: (GroupValue & { readonly stateSinceMs: number }) | null;
    };

export function offsetRecord(
  groupId: string,
  topic: string,
  partition: number,
  value: CommittedOffset | null,
): StoredRecord {
  return {
    key: encodeVersioned(OFFSET_KEY_VERSION, offsetCommitKey, { group: groupId, topic, partition }),
    value:
      value &&
      encodeVersioned(OFFSET_VALUE_VERSION, offsetCommitValue, {
        offset: value.offset,
        leaderEpoch: value.leaderEpoch,
        metadata: value.metadata,
        commitTimestamp: value.committedAtMs,
      }),
  };
}

export function groupRecord(groupId: string, value: GroupValue | null, stateSinceMs: number): StoredRecord {
  return {
    key: encodeVersioned(GROUP_KEY_VERSION, groupMetadataKey, { group: groupId }),
    value:
      value &&
      encodeVersioned(GROUP_VALUE_VERSION, groupMetadataValue, {
        ...value,
        currentStateTimestamp: stateSinceMs,
      }),
  };
}

/**
 * Undefined for kinds of record that this coordinator does not know.
 * @throws WireError
 */
export function readCoordinatorRecord(record: ReadRecord): CoordinatorRecord | undefined {
  if (record.key === null) return undefined;
  const reader = new Reader(record.key);
  const version = reader.int16();
  if (version <= OFFSET_KEY_VERSION) {
    const { group, topic, partition } = offsetCommitKey.decode(reader, version);
    return { kind: 'offset', groupId: group, topic, partition, value: readOffset(record.value) };
  }
  if (version !== GROUP_KEY_VERSION) return undefined;
  const { group } = groupMetadataKey.decode(reader, version);
  return { kind: 'group', groupId: group, value: readGroup(record.value) };
}

function readOffset(bytes: Buffer | null): CommittedOffset | null {
  if (bytes === null) return null;
  const value = decodeVersioned(bytes, offsetCommitValue);
  return {
    offset: value.offset,
    leaderEpoch: value.leaderEpoch,
    metadata: value.metadata,
    committedAtMs: value.commitTimestamp,
  };
}

function readGroup(bytes: Buffer | null): (GroupValue & { stateSinceMs: number }) | null {
  if (bytes === null) return null;
  const { currentStateTimestamp, ...value } = decodeVersioned(bytes, groupMetadataValue);
  return { ...value, stateSinceMs: currentStateTimestamp };
}
