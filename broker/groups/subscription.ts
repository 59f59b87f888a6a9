/** What the members of a classic consumer group say they read, in the metadata that is otherwise opaque. */
import { Reader } from '../wire/reader.ts';
import { consumerSubscription } from '../wire/schemas/group-records.ts';
import { WireError } from '../wire/wire-error.ts';
import type { Group } from './group.ts';
import { metadataFor } from './member.ts';

/** The topics that members of a consumer group subscribe to; undefined when any of them does not tell. */
export function subscribedTopics(group: Group): Set<string> | undefined {
  if (group.protocolType !== 'consumer' || group.protocol === null) return undefined;
  const topics = new Set<string>();
  for (const member of group.members.values()) {
    const metadata = Buffer.from(metadataFor(member, group.protocol));
    try {
      const reader = new Reader(metadata);
      for (const topic of consumerSubscription.decode(reader, reader.int16()).topics) topics.add(topic);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      return undefined;
    }
  }
  return topics;
}
