import type {
  ClassicJoin,
  ConsumerAnswer,
  ConsumerEvent,
  ConsumerHeartbeat,
  HeartbeatAnswer,
} from '../../broker/groups/consumer/consumer-events.ts';
import {
  type ConsumerGroup,
  type ConsumerSettings,
  emptyConsumerGroup,
  stepConsumer,
} from '../../broker/groups/consumer/consumer-group.ts';
import type { Partitions } from '../../broker/groups/consumer/partitions.ts';
import type { TopicFacts, TopicImage } from '../../broker/groups/consumer/topic-image.ts';
import type { Group, JoinAnswer, SyncAnswer } from '../../broker/groups/group.ts';
import { consumerSubscription } from '../../broker/wire/schemas/group-records.ts';
import { Writer } from '../../broker/wire/writer.ts';

/** The id of a test's topic: a UUID that spells the name. */
export function idOf(name: string): string {
  const hex = Buffer.from(name).toString('hex').padEnd(32, '0');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

function nameOf(id: string): string {
  if (id.startsWith('#')) return id.slice(1);
  return Buffer.from(id.replaceAll('-', ''), 'hex').toString().replaceAll('\0', '');
}

/** Topics as a test wants them. */
export class TestTopics implements TopicImage {
  version = 0;
  private readonly topics = new Map<string, TopicFacts>();

  set(name: string, partitions: number): void {
    this.version += 1;
    this.topics.set(name, { id: idOf(name), name, partitions });
  }

  delete(name: string): void {
    this.version += 1;
    this.topics.delete(name);
  }

  byName(name: string): TopicFacts | undefined {
    return this.topics.get(name);
  }

  byId(id: string): TopicFacts | undefined {
    return this.topics.get(nameOf(id));
  }

  names(): readonly string[] {
    return [...this.topics.keys()];
  }
}

/** `t-0,1 u-2`: what it says is what there is. */
export function spelled(partitions: ReadonlyMap<string, { keys(): Iterable<number> }> | null): string {
  if (partitions === null) return 'as before';
  return [...partitions]
    .map(([id, some]) => `${nameOf(id)}-${[...some.keys()].toSorted((a, b) => a - b).join(',')}`)
    .toSorted()
    .join(' ');
}

export function owned(text: string): Partitions {
  return new Map(
    text
      .split(' ')
      .filter((one) => one !== '')
      .map((one) => {
        const [topic, some] = one.split('-');
        return [idOf(topic!), new Set(some!.split(',').map(Number))];
      }),
  );
}

/** Metadata of a classic member: what it reads, and what it still owns. */
export function subscriptionBytes(topics: readonly string[], ownedText = '', version = 1): Buffer {
  const writer = new Writer();
  writer.int16(version);
  consumerSubscription.encode(writer, version, {
    topics: [...topics],
    userData: null,
    ownedPartitions: [...owned(ownedText)].map(([id, some]) => ({
      topic: nameOf(id),
      partitions: [...some],
    })),
  });
  return writer.toBuffer();
}

/** Drives the state machine of one KIP-848 group by hand: time, requests and topics are the test's. */
export class ConsumerDriver {
  group: ConsumerGroup | Group = emptyConsumerGroup('g');
  now = 0;
  readonly topics = new TestTopics();
  settings: ConsumerSettings = {
    sessionTimeoutMs: 45_000,
    heartbeatIntervalMs: 5_000,
    groupMaxSize: 100,
    classicMaxSize: 100,
    mayUpgrade: true,
    mayDowngrade: true,
  };

  get consumer(): ConsumerGroup {
    if (this.group.type !== 'consumer') throw new Error('the group is a classic one');
    return this.group;
  }

  event(event: ConsumerEvent): ConsumerAnswer | undefined {
    const { group, answer } = stepConsumer(this.consumer, event, this.now, {
      topics: this.topics,
      nowMs: this.now,
      settings: this.settings,
    });
    this.group = group;
    return answer;
  }

  at(now: number): void {
    this.now = now;
    this.event({ kind: 'tick' });
  }

  heartbeat(memberId: string, given: Partial<ConsumerHeartbeat> = {}): ConsumerAnswer {
    return this.event({
      kind: 'heartbeat',
      memberId,
      freshMemberId: 'fresh',
      memberEpoch: 0,
      instanceId: null,
      rackId: null,
      clientId: 'c',
      clientHost: '/h',
      rebalanceTimeoutMs: -1,
      topics: null,
      regex: null,
      assignor: null,
      owned: null,
      maySee: () => true,
      ...given,
    })!;
  }

  join(memberId: string, given: Partial<ConsumerHeartbeat> = {}): HeartbeatAnswer {
    const first = { rebalanceTimeoutMs: 10_000, topics: given.regex === undefined ? ['t'] : null };
    return accepted(this.heartbeat(memberId, { ...first, owned: new Map(), ...given }));
  }

  /** A heartbeat in the member's own epoch that says what it owns, as text. */
  beat(memberId: string, ownedText?: string): HeartbeatAnswer {
    const { epoch } = this.consumer.members.get(memberId)!.current;
    const holds = ownedText === undefined ? null : owned(ownedText);
    return accepted(this.heartbeat(memberId, { memberEpoch: epoch, owned: holds }));
  }

  /** What the member has, as text. */
  has(memberId: string): string {
    return spelled(this.consumer.members.get(memberId)!.current.assigned);
  }

  classicJoin(given: Partial<ClassicJoin> = {}): JoinAnswer {
    const answer = this.event({
      kind: 'classic-join',
      memberId: '',
      freshMemberId: 'old',
      instanceId: null,
      clientId: 'c',
      clientHost: '/h',
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: subscriptionBytes(['t']) }],
      memberIdRequired: false,
      canSkipAssignment: false,
      maySee: () => true,
      ...given,
    })!;
    if (answer.api !== 'join') throw new Error(`got ${JSON.stringify(answer)}, want a JoinGroup answer`);
    return answer;
  }

  classicSync(memberId: string, generation: number): SyncAnswer {
    const answer = this.event({
      kind: 'classic-sync',
      memberId,
      instanceId: null,
      generation,
      protocolType: 'consumer',
      protocol: null,
      assignments: new Map(),
    })!;
    if (answer.api !== 'sync') throw new Error(`got ${JSON.stringify(answer)}, want a SyncGroup answer`);
    return answer;
  }

  /** The code of a classic heartbeat. */
  classicBeat(memberId: string, generation: number): number {
    const answer = this.event({ kind: 'classic-heartbeat', memberId, instanceId: null, generation })!;
    return 'errorCode' in answer ? answer.errorCode : -1;
  }
}

export function accepted(answer: ConsumerAnswer): HeartbeatAnswer {
  if (answer.api === 'consumer-heartbeat') return answer;
  throw new Error(`got ${JSON.stringify(answer)}, want an accepted heartbeat`);
}

/** The code of a refusal, 0 when there is none. */
export function refusedWith(answer: ConsumerAnswer): number {
  return answer.api === 'refused' ? answer.errorCode : 0;
}
