/**
 * `uniform`: as many partitions for each member as for the others, give or take one, and as few of them moved as
 * that allows. Where members read different topics, no partition could move to a member that has two less.
 */
import type { Partitions } from './partitions.ts';
import { type AssignorMember, readersOf, Shares } from './shares.ts';

type PartitionsOf = (topicId: string) => number;

export function uniformAssignor(
  members: readonly AssignorMember[],
  partitionsOf: PartitionsOf,
): ReadonlyMap<string, Partitions> {
  const sorted = members.toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1));
  const shares = new Shares(sorted);
  const free = keep(sorted, shares, partitionsOf);
  const first = sorted[0];
  if (!first) return shares.byMember;
  const alike = sorted.every(
    ({ topics }) => topics.size === first.topics.size && [...topics].every((id) => first.topics.has(id)),
  );
  if (alike) shareAlike(sorted, shares, free);
  else shareUnlike(sorted, shares, free);
  return shares.byMember;
}

interface Place {
  readonly topicId: string;
  readonly partition: number;
}

/** Leaves everybody what it had and may still have. @returns what is nobody's */
function keep(members: readonly AssignorMember[], shares: Shares, partitionsOf: PartitionsOf): Place[] {
  const taken = new Map<string, Set<number>>();
  for (const { topics } of members) for (const topicId of topics) taken.set(topicId, new Set());
  for (const { memberId, topics, target } of members) {
    for (const [topicId, partitions] of target) {
      if (!topics.has(topicId)) continue;
      for (const partition of partitions) {
        if (partition >= partitionsOf(topicId) || taken.get(topicId)!.has(partition)) continue;
        taken.get(topicId)!.add(partition);
        shares.give(memberId, topicId, partition);
      }
    }
  }
  const free: Place[] = [];
  for (const [topicId, partitions] of taken) {
    const count = partitionsOf(topicId);
    for (let partition = 0; partition < count; partition += 1) {
      if (!partitions.has(partition)) free.push({ topicId, partition });
    }
  }
  return free;
}

/** All read the same: who had most keeps the odd ones, so that nothing moves that need not. */
function shareAlike(members: readonly AssignorMember[], shares: Shares, free: Place[]): void {
  let total = free.length;
  for (const load of shares.loads.values()) total += load;
  const least = Math.floor(total / members.length);
  let extra = total % members.length;
  const quotas = new Map<string, number>();
  for (const { memberId } of members.toSorted(
    (a, b) => shares.loads.get(b.memberId)! - shares.loads.get(a.memberId)!,
  )) {
    quotas.set(memberId, least + (extra > 0 ? 1 : 0));
    extra -= 1;
  }
  for (const { memberId } of members) {
    const over = shares.loads.get(memberId)! - quotas.get(memberId)!;
    if (over > 0) for (const place of lastOf(shares, memberId, over)) free.push(place);
  }
  let next = 0;
  for (const { memberId } of members) {
    for (let has = shares.loads.get(memberId)!; has < quotas.get(memberId)!; has += 1) {
      const { topicId, partition } = free[next++]!;
      shares.give(memberId, topicId, partition);
    }
  }
}

function lastOf(shares: Shares, memberId: string, count: number): Place[] {
  const all: Place[] = [];
  for (const [topicId, partitions] of shares.byMember.get(memberId)!) {
    for (const partition of partitions) all.push({ topicId, partition });
  }
  const over = all.slice(all.length - count);
  for (const { topicId, partition } of over) shares.take(memberId, topicId, partition);
  return over;
}

function shareUnlike(members: readonly AssignorMember[], shares: Shares, free: readonly Place[]): void {
  const readers = readersOf(members);
  // Topics with few readers first: the others still have a choice afterwards.
  const ordered = free.toSorted((a, b) => readers.get(a.topicId)!.length - readers.get(b.topicId)!.length);
  for (const { topicId, partition } of ordered) {
    shares.give(lightest(shares, readers.get(topicId)!), topicId, partition);
  }
  // Each move makes the sum of the squares smaller, so this ends.
  for (let moved = true; moved;) {
    moved = false;
    for (const { memberId } of members) moved = lighten(shares, memberId, readers) || moved;
  }
}

function lighten(shares: Shares, memberId: string, readers: ReadonlyMap<string, readonly string[]>): boolean {
  let moved = false;
  for (const [topicId, partitions] of shares.byMember.get(memberId)!) {
    for (const partition of [...partitions].toReversed()) {
      const other = lightest(shares, readers.get(topicId)!);
      if (shares.loads.get(memberId)! - shares.loads.get(other)! < 2) break;
      shares.take(memberId, topicId, partition);
      shares.give(other, topicId, partition);
      moved = true;
    }
  }
  return moved;
}

function lightest(shares: Shares, memberIds: readonly string[]): string {
  let best = memberIds[0]!;
  for (const memberId of memberIds) {
    if (shares.loads.get(memberId)! < shares.loads.get(best)!) best = memberId;
  }
  return best;
}
