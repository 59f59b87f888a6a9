/** The consumers' own messages inside JoinGroup and SyncGroup: an int16 version, then the fields. */
import { Reader } from '../wire/reader.ts';
import {
  CONSUMER_PROTOCOL_MAX,
  consumerAssignment,
  consumerSubscription,
} from '../wire/schemas/group-records.ts';
import { WireError } from '../wire/wire-error.ts';
import { encodeVersioned } from '../wire/versioned.ts';

export interface NamedPartitions {
  readonly topic: string;
  readonly partitions: readonly number[];
}

export interface Subscription {
  readonly version: number;
  readonly topics: readonly string[];
  /** Empty where the consumer gives everything up before it joins. */
  readonly owned: readonly NamedPartitions[];
  readonly rackId: string | null;
}

/** Undefined when it is something else. */
export function readSubscription(metadata: Uint8Array): Subscription | undefined {
  return attempt(() => {
    const { reader, version } = open(metadata);
    const { topics, ownedPartitions, rackId } = consumerSubscription.decode(reader, version);
    return { version, topics, owned: ownedPartitions, rackId };
  });
}

/** Undefined when it is something else; no bytes are no partitions. */
export function readAssignment(
  bytes: Uint8Array,
): { readonly partitions: readonly NamedPartitions[]; readonly hasUserData: boolean } | undefined {
  if (bytes.length === 0) return { partitions: [], hasUserData: false };
  return attempt(() => {
    const { reader, version } = open(bytes);
    const { assignedPartitions, userData } = consumerAssignment.decode(reader, version);
    return { partitions: assignedPartitions, hasUserData: (userData?.length ?? 0) > 0 };
  });
}

export function writeAssignment(version: number, partitions: readonly NamedPartitions[]): Buffer {
  return encodeVersioned(version, consumerAssignment, {
    assignedPartitions: partitions.map(({ topic, partitions: some }) => ({ topic, partitions: [...some] })),
    userData: null,
  });
}

function open(bytes: Uint8Array): { reader: Reader; version: number } {
  const reader = new Reader(Buffer.from(bytes));
  const version = reader.int16();
  if (version < 0) throw new WireError(`cannot read a consumer's metadata: got version ${version}`);
  return { reader, version: Math.min(version, CONSUMER_PROTOCOL_MAX) };
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return undefined;
  }
}
