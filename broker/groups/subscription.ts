/** What the members of a classic consumer group say they read, in the metadata that is otherwise opaque. */
import { readSubscription } from './consumer-protocol.ts';
import type { Group } from './group.ts';
import { metadataFor } from './member.ts';

/** The topics that members of a consumer group subscribe to; undefined when any of them does not tell. */
export function subscribedTopics(group: Group): Set<string> | undefined {
  if (group.protocolType !== 'consumer' || group.protocol === null) return undefined;
  const topics = new Set<string>();
  for (const member of group.members.values()) {
    const subscription = readSubscription(metadataFor(member, group.protocol));
    if (!subscription) return undefined;
    for (const topic of subscription.topics) topics.add(topic);
  }
  return topics;
}
