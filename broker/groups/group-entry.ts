import type { Deadline } from '../host/deadline.ts';
import { CommittedOffsets } from './committed-offsets.ts';
import type { ConsumerGroup } from './consumer/consumer-group.ts';
import { emptyGroup, type Group } from './group.ts';

/** One group with what belongs to it. */
export interface GroupEntry {
  readonly groupId: string;
  /** Classic or of KIP-848: its `type` says which. */
  group: Group | ConsumerGroup;
  readonly offsets: CommittedOffsets;
  /** Wall time of the last change of phase, ms. */
  stateSinceMs: number;
  /** Commits appended and not yet durable, by topic and partition. */
  readonly committing: Map<string, number>;
  /** Has records: its end must be one too. */
  recorded: boolean;
  /** The earliest of the group. */
  readonly deadline: Deadline;
}

export function newEntry(groupId: string, nowMs: number, deadline: Deadline): GroupEntry {
  return {
    groupId,
    group: emptyGroup(groupId),
    offsets: new CommittedOffsets(),
    stateSinceMs: nowMs,
    committing: new Map(),
    recorded: false,
    deadline,
  };
}

/** A key of `committing`. */
export function placeOf(topic: string, partition: number): string {
  return `${partition}/${topic}`;
}
