/** Taking members out: they left, expired, or did not do what they were asked in time. */
import { downgrade } from './conversion.ts';
import type { ConsumerStep } from './consumer-group.ts';
import type { ConsumerMember } from './consumer-member.ts';
import { metadataHash } from './subscription.ts';

/** The target follows with the next heartbeat of a member that is left. */
export function fence(at: ConsumerStep, fenced: readonly ConsumerMember[]): void {
  const { group, world } = at;
  for (const { memberId } of fenced) {
    group.members.delete(memberId);
    group.target.delete(memberId);
  }
  const used = new Set([...group.members.values()].map(({ about }) => about.regex));
  for (const regex of group.regexes.keys()) if (!used.has(regex)) group.regexes.delete(regex);
  group.epoch += 1;
  group.metadataHash = metadataHash(group, world.topics);
  at.notes.push(`has epoch ${group.epoch} with ${group.members.size} members`);
  downgradeIfClassic(at, true);
}

/** A group whose last KIP-848 member has gone becomes a classic one. */
export function downgradeIfClassic(at: ConsumerStep, rebalance: boolean): void {
  const { group, world } = at;
  const { mayDowngrade, classicMaxSize } = world.settings;
  if (!mayDowngrade || group.members.size === 0 || group.members.size > classicMaxSize) return;
  for (const { about } of group.members.values()) if (about.classic === null) return;
  at.downgraded = downgrade(group, at.now, world.topics, rebalance);
  at.notes.push('became a classic group: its last member of the consumer protocol has gone');
}
