/** The group epoch, and the target assignment that follows it. */
import type { ConsumerGroup, ConsumerStep } from './consumer-group.ts';
import { ASSIGNORS, DEFAULT_ASSIGNOR } from './assignors.ts';
import { NO_PARTITIONS, samePartitions } from './partitions.ts';
import type { AssignorMember } from './shares.ts';
import { metadataHash, subscribedIds } from './subscription.ts';

/** A new target is due when `isDue`, or when the topics that are read have changed. */
export function bumpEpoch(at: ConsumerStep, isDue: boolean): void {
  const { group, world } = at;
  if (!isDue && group.topicsVersion === world.topics.version) return;
  const hash = metadataHash(group, world.topics);
  group.topicsVersion = world.topics.version;
  if (!isDue && hash === group.metadataHash) return;
  group.metadataHash = hash;
  group.epoch += 1;
  at.notes.push(`has epoch ${group.epoch} with ${group.members.size} members`);
}

/** Made anew when the group epoch is ahead of it. */
export function updateTarget(at: ConsumerStep): void {
  const { group, world } = at;
  if (group.epoch <= group.assignmentEpoch) return;
  const members: AssignorMember[] = [...group.members.values()].map(({ memberId, about }) => ({
    memberId,
    topics: subscribedIds(about, group, world.topics),
    target: group.target.get(memberId) ?? NO_PARTITIONS,
  }));
  const assign = ASSIGNORS.get(preferredAssignor(group))!;
  const next = assign(members, (topicId) => world.topics.byId(topicId)?.partitions ?? 0);
  for (const [memberId, partitions] of next) {
    const before = group.target.get(memberId);
    if (!before || !samePartitions(before, partitions)) group.target.set(memberId, partitions);
  }
  group.assignmentEpoch = group.epoch;
  group.assignedAtMs = world.nowMs;
}

/** What most of those ask for who ask for any. */
export function preferredAssignor({ members }: Pick<ConsumerGroup, 'members'>): string {
  const votes = new Map<string, number>();
  for (const { about } of members.values()) {
    if (about.assignor !== null) votes.set(about.assignor, (votes.get(about.assignor) ?? 0) + 1);
  }
  let best = DEFAULT_ASSIGNOR;
  for (const [name, count] of votes) if (count > (votes.get(best) ?? 0)) best = name;
  return best;
}
