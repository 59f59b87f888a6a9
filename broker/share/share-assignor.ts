/**
 * The simple assignor: every partition of a topic has a member, every member that subscribes to the topic has a
 * partition, and members are spread evenly. Where members outnumber partitions several share one, which is what a
 * work queue is for. Who has a partition keeps it where the balance allows. Pure.
 */

/** Partitions by topic id. */
export type Assignment = ReadonlyMap<string, readonly number[]>;

export interface AssignedTopic {
  readonly id: string;
  readonly name: string;
  readonly partitions: number;
}

export interface AssignedMember {
  readonly memberId: string;
  readonly subscribed: readonly string[];
  readonly assigned: Assignment;
}

/** By member id. */
export function assign(
  members: readonly AssignedMember[],
  topics: readonly AssignedTopic[],
): Map<string, Assignment> {
  const sorted = members.toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1));
  const result = new Map(sorted.map(({ memberId }) => [memberId, new Map<string, readonly number[]>()]));
  for (const topic of topics) {
    const subscribers = sorted.filter(({ subscribed }) => subscribed.includes(topic.name));
    if (subscribers.length === 0 || topic.partitions === 0) continue;
    for (const [memberId, partitions] of spread(subscribers, topic)) {
      if (partitions.length > 0) result.get(memberId)!.set(topic.id, partitions);
    }
  }
  return result;
}

function spread(subscribers: readonly AssignedMember[], topic: AssignedTopic): Map<string, number[]> {
  const sharersMax = Math.ceil(subscribers.length / topic.partitions);
  const slots = sharersMax * topic.partitions;
  const sharers = Array.from({ length: topic.partitions }, () => 0);
  const wanted = subscribers.map((_, i) => slotsOf(i, slots, subscribers.length));
  const kept = subscribers.map(({ assigned }, i) => {
    const mine: number[] = [];
    for (const partition of assigned.get(topic.id) ?? []) {
      if (partition >= topic.partitions || mine.length >= wanted[i]!) continue;
      if (sharers[partition]! >= sharersMax) continue;
      sharers[partition]! += 1;
      mine.push(partition);
    }
    return mine;
  });
  for (const [i, mine] of kept.entries()) {
    while (mine.length < wanted[i]!) {
      const partition = leastShared(sharers, mine);
      if (partition === undefined) break;
      sharers[partition]! += 1;
      mine.push(partition);
    }
  }
  return new Map(subscribers.map(({ memberId }, i) => [memberId, kept[i]!.toSorted((a, b) => a - b)]));
}

/** The share of the i-th of `count` members; all shares together are `slots`. */
function slotsOf(i: number, slots: number, count: number): number {
  return Math.ceil(((i + 1) * slots) / count) - Math.ceil((i * slots) / count);
}

function leastShared(sharers: readonly number[], mine: readonly number[]): number | undefined {
  let best: number | undefined;
  for (const [partition, count] of sharers.entries()) {
    if (!mine.includes(partition) && (best === undefined || count < sharers[best]!)) best = partition;
  }
  return best;
}
