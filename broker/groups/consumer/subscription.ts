/** What members read: names, patterns, and the topics that these stand for now. */
import { RE2JS, RE2JSException } from 're2js';

import { CODE } from '../../wire/errors.ts';
import { type ConsumerDraft, type ConsumerGroup, type ConsumerStep, GroupRefusal } from './consumer-group.ts';
import { type MemberAbout, sameList } from './consumer-member.ts';
import type { TopicImage } from './topic-image.ts';

/** Ids of the topics that exist and that the member reads. A pattern not looked up yet stands for none. */
export function subscribedIds(
  about: MemberAbout,
  group: ConsumerGroup | ConsumerDraft,
  topics: TopicImage,
): Set<string> {
  const ids = new Set<string>();
  for (const name of namesOf(about, group)) {
    const topic = topics.byName(name);
    if (topic) ids.add(topic.id);
  }
  return ids;
}

export function* namesOf(about: MemberAbout, group: ConsumerGroup | ConsumerDraft): Generator<string> {
  yield* about.topics;
  if (about.regex) yield* group.regexes.get(about.regex)?.topics ?? [];
}

/** All that any member reads. */
export function subscribedNames(group: ConsumerGroup | ConsumerDraft): Set<string> {
  const names = new Set<string>();
  for (const { about } of group.members.values()) for (const name of namesOf(about, group)) names.add(name);
  return names;
}

/** @throws GroupRefusal */
export function checkRegex(regex: string): void {
  try {
    RE2JS.compile(regex);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    throw new GroupRefusal(
      CODE.INVALID_REGULAR_EXPRESSION,
      `SubscribedTopicRegex \`${regex}\` is not a valid regular expression: ${error.message}.`,
    );
  }
}

/**
 * Looks patterns up that are new, and all of them when topics have come or gone; forgets those nobody uses.
 * @returns whether any stands for other topics than before
 */
export function refreshRegexes(at: ConsumerStep, maySee: (topic: string) => boolean): boolean {
  const { group, world } = at;
  const used = new Set<string>();
  for (const { about } of group.members.values()) if (about.regex) used.add(about.regex);
  let changed = false;
  for (const regex of group.regexes.keys()) if (!used.has(regex)) group.regexes.delete(regex);
  const isStale = group.topicsVersion !== world.topics.version;
  for (const regex of used) {
    const before = group.regexes.get(regex);
    if (before && !isStale) continue;
    const pattern = RE2JS.compile(regex);
    const topics = world.topics.names().filter((name) => pattern.testExact(name) && maySee(name));
    topics.sort();
    if (before && sameList(before.topics, topics)) continue;
    changed ||= topics.length > 0 || before !== undefined;
    group.regexes.set(regex, { topics, version: world.topics.version, timestampMs: world.nowMs });
  }
  return changed;
}

/** Differs when a subscribed topic has come, gone, grown, or is another one of the same name. Fits a double. */
export function metadataHash(group: ConsumerDraft, topics: TopicImage): number {
  let high = 0x811c9dc5;
  let low = 0x1234567;
  let any = false;
  for (const name of [...subscribedNames(group)].sort()) {
    const topic = topics.byName(name);
    if (!topic) continue;
    any = true;
    for (const char of `${name}:${topic.id}:${topic.partitions};`) {
      high = Math.imul(high ^ char.codePointAt(0)!, 0x01000193);
      low = Math.imul(low ^ char.codePointAt(0)!, 0x5bd1e995);
    }
  }
  return any ? (high >>> 0) * 2 ** 20 + ((low >>> 0) & 0xfffff) : 0;
}
