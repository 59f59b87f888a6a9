/**
 * `range`: each topic's partitions in equal runs over the members that read it, in the order of member ids. Topics
 * with the same number of partitions and readers are shared out alike, so that they can be joined.
 */
import type { Partitions } from './partitions.ts';
import { type AssignorMember, readersOf, Shares } from './shares.ts';

export function rangeAssignor(
  members: readonly AssignorMember[],
  partitionsOf: (topicId: string) => number,
): ReadonlyMap<string, Partitions> {
  const sorted = members.toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1));
  const shares = new Shares(sorted);
  for (const [topicId, memberIds] of readersOf(sorted)) {
    const count = partitionsOf(topicId);
    const least = Math.floor(count / memberIds.length);
    const extra = count % memberIds.length;
    let next = 0;
    for (const [index, memberId] of memberIds.entries()) {
      const end = next + least + (index < extra ? 1 : 0);
      for (; next < end; next += 1) shares.give(memberId, topicId, next);
    }
  }
  return shares.byMember;
}
