import type { Partitions } from './partitions.ts';

export interface AssignorMember {
  readonly memberId: string;
  /** Ids of topics that exist. */
  readonly topics: ReadonlySet<string>;
  /** What it was to have so far. */
  readonly target: Partitions;
}

/** Shares the partitions of all topics out among those who read them: each partition to exactly one. */
export type Assignor = (
  members: readonly AssignorMember[],
  partitionsOf: (topicId: string) => number,
) => ReadonlyMap<string, Partitions>;

/** What is given out, by member. */
export class Shares {
  readonly byMember = new Map<string, Map<string, Set<number>>>();
  readonly loads = new Map<string, number>();

  constructor(members: readonly AssignorMember[]) {
    for (const { memberId } of members) {
      this.byMember.set(memberId, new Map());
      this.loads.set(memberId, 0);
    }
  }

  give(memberId: string, topicId: string, partition: number): void {
    const topics = this.byMember.get(memberId)!;
    let partitions = topics.get(topicId);
    if (!partitions) {
      partitions = new Set();
      topics.set(topicId, partitions);
    }
    partitions.add(partition);
    this.loads.set(memberId, this.loads.get(memberId)! + 1);
  }

  take(memberId: string, topicId: string, partition: number): void {
    const topics = this.byMember.get(memberId)!;
    const partitions = topics.get(topicId)!;
    partitions.delete(partition);
    if (partitions.size === 0) topics.delete(topicId);
    this.loads.set(memberId, this.loads.get(memberId)! - 1);
  }
}

/** Who reads each topic. */
export function readersOf(members: readonly AssignorMember[]): Map<string, string[]> {
  const readers = new Map<string, string[]>();
  for (const { memberId, topics } of members) {
    for (const topicId of topics) {
      const some = readers.get(topicId);
      if (some) some.push(memberId);
      else readers.set(topicId, [memberId]);
    }
  }
  return readers;
}
