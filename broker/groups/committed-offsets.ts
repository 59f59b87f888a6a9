/** A group's positions: the next offset to read, by topic and partition. */
export interface CommittedOffset {
  readonly offset: number;
  /** -1 when the client did not say. */
  readonly leaderEpoch: number;
  /** Verbatim; empty when there was none. */
  readonly metadata: string;
  /** Wall time, ms. */
  readonly committedAtMs: number;
}

export interface OffsetEntry {
  readonly topic: string;
  readonly partition: number;
  readonly value: CommittedOffset;
}

export class CommittedOffsets {
  readonly topics = new Map<string, Map<number, CommittedOffset>>();

  get size(): number {
    let size = 0;
    for (const partitions of this.topics.values()) size += partitions.size;
    return size;
  }

  get(topic: string, partition: number): CommittedOffset | undefined {
    return this.topics.get(topic)?.get(partition);
  }

  set(topic: string, partition: number, value: CommittedOffset): void {
    let partitions = this.topics.get(topic);
    if (!partitions) {
      partitions = new Map();
      this.topics.set(topic, partitions);
    }
    partitions.set(partition, value);
  }

  delete(topic: string, partition: number): void {
    const partitions = this.topics.get(topic);
    partitions?.delete(partition);
    if (partitions?.size === 0) this.topics.delete(topic);
  }

  *entries(): Generator<OffsetEntry> {
    for (const [topic, partitions] of this.topics) {
      for (const [partition, value] of partitions) yield { topic, partition, value };
    }
  }
}

export interface OffsetHolder {
  readonly phase: string;
  /** Undefined for a simple group, which only ever committed. */
  readonly protocolType: string | null;
  readonly stateSinceMs: number;
  /** Topics that its members consume; undefined when they do not say. */
  readonly subscribed: ReadonlySet<string> | undefined;
}

/**
 * KIP-211: positions go when nobody has used them for the retention time: since the group became empty, or
 * since the commit for groups without members of their own and for topics no longer subscribed.
 */
export function expiredOffsets(
  offsets: CommittedOffsets,
  group: OffsetHolder,
  nowMs: number,
  retentionMs: number,
): OffsetEntry[] {
  const expired: OffsetEntry[] = [];
  for (const entry of offsets.entries()) {
    const unusedSinceMs = unusedSince(entry, group);
    if (unusedSinceMs !== undefined && nowMs - unusedSinceMs >= retentionMs) expired.push(entry);
  }
  return expired;
}

function unusedSince({ topic, value }: OffsetEntry, group: OffsetHolder): number | undefined {
  if (group.protocolType === null) return value.committedAtMs;
  if (group.phase === 'Empty') return Math.max(group.stateSinceMs, value.committedAtMs);
  if (group.phase === 'Stable' && group.subscribed && !group.subscribed.has(topic)) {
    return value.committedAtMs;
  }
  return undefined;
}
