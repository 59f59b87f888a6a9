import { shareAcknowledge, shareFetch, shareGroupHeartbeat } from '../../broker/wire/schemas/index.ts';
import { readBatches } from './record-batch.ts';
import { RawClient } from './raw-client.ts';

export const ACK = { gap: 0, accept: 1, release: 2, reject: 3, renew: 4 } as const;

export interface Received {
  readonly offset: number;
  readonly value: string;
  readonly deliveryCount: number;
}

interface FetchWishes {
  readonly version?: number;
  readonly maxWaitMs?: number;
  readonly minBytes?: number;
  readonly maxRecords?: number;
  readonly batchSize?: number;
  readonly acquireMode?: number;
  readonly isRenewAck?: boolean;
  readonly epoch?: number;
  /** Acknowledges, as first, last and types. */
  readonly acks?: ReadonlyArray<readonly [first: number, last: number, ...types: number[]]>;
  readonly forget?: boolean;
}

/** A member of a share group over a connection of its own, which reads one partition. */
export class ShareMember {
  readonly client: RawClient;
  readonly groupId: string;
  readonly memberId: string;
  /** What the next request of the session has to say. */
  epoch = 0;
  memberEpoch = 0;
  private readonly place: { topicId: string; partition: number };

  constructor(client: RawClient, groupId: string, memberId: string, topicId: string, partition = 0) {
    this.client = client;
    this.groupId = groupId;
    this.memberId = memberId;
    this.place = { topicId, partition };
  }

  static async join(
    port: number,
    groupId: string,
    memberId: string,
    topic: { readonly name: string; readonly id: string },
  ): Promise<ShareMember> {
    const member = new ShareMember(await RawClient.connect(port), groupId, memberId, topic.id);
    const answer = await member.heartbeat([topic.name]);
    if (answer.errorCode !== 0)
      throw new Error(`cannot join: got ${answer.errorCode} ${answer.errorMessage}`);
    return member;
  }

  async heartbeat(subscribedTopicNames: string[] | null = null, memberEpoch = this.memberEpoch) {
    const { groupId, memberId } = this;
    const answer = await this.client.call(shareGroupHeartbeat, 1, {
      groupId,
      memberId,
      memberEpoch,
      subscribedTopicNames,
    });
    if (answer.errorCode === 0) this.memberEpoch = answer.memberEpoch;
    return answer;
  }

  leave() {
    return this.heartbeat(null, -1);
  }

  /** The whole answer; the session's epoch goes on when there is no error. */
  async fetchAnswer(given: FetchWishes = {}) {
    const { topicId, partition } = this.place;
    const version = given.version ?? 2;
    const epoch = given.epoch ?? this.epoch;
    const names = epoch === 0 || given.acks !== undefined;
    const answer = await this.client.call(shareFetch, version, {
      groupId: this.groupId,
      memberId: this.memberId,
      shareSessionEpoch: epoch,
      maxWaitMs: given.maxWaitMs ?? 0,
      minBytes: given.minBytes ?? 1,
      maxBytes: 10_000_000,
      maxRecords: given.maxRecords ?? 500,
      batchSize: given.batchSize ?? 500,
      ...(version >= 2
        ? { shareAcquireMode: given.acquireMode ?? 0, isRenewAck: given.isRenewAck ?? false }
        : {}),
      topics: names
        ? [
            {
              topicId,
              partitions: [
                { partitionIndex: partition, acknowledgementBatches: batchesOf(given.acks ?? []) },
              ],
            },
          ]
        : [],
      forgottenTopicsData: given.forget ? [{ topicId, partitions: [partition] }] : [],
    });
    if (answer.errorCode === 0) this.epoch = epoch + 1;
    return answer;
  }

  /** The records that are now this member's. */
  async fetch(given: FetchWishes = {}): Promise<Received[]> {
    const { errorCode, responses } = await this.fetchAnswer(given);
    if (errorCode !== 0) throw new Error(`cannot fetch: got ${errorCode}`);
    const answer = responses[0]?.partitions[0];
    if (!answer) return [];
    if (answer.errorCode !== 0) throw new Error(`cannot fetch: got ${answer.errorCode} for the partition`);
    if (answer.acknowledgeErrorCode !== 0)
      throw new Error(`cannot acknowledge: got ${answer.acknowledgeErrorCode}`);
    const values = new Map(
      readBatches(answer.records ?? Buffer.alloc(0)).flatMap((batch) =>
        batch.values.map((value, i) => [batch.baseOffset + i, value] as const),
      ),
    );
    return answer.acquiredRecords.flatMap(({ firstOffset, lastOffset, deliveryCount }) =>
      Array.from({ length: lastOffset - firstOffset + 1 }, (_, i) => {
        const value = values.get(firstOffset + i);
        if (value === undefined) throw new Error(`offset ${firstOffset + i} was acquired and not sent`);
        return { offset: firstOffset + i, value, deliveryCount };
      }),
    );
  }

  async acknowledgeAnswer(
    acks: ReadonlyArray<readonly [first: number, last: number, ...types: number[]]>,
    given: { epoch?: number; version?: number; isRenewAck?: boolean } = {},
  ) {
    const { topicId, partition } = this.place;
    const epoch = given.epoch ?? this.epoch;
    const version = given.version ?? 2;
    const answer = await this.client.call(shareAcknowledge, version, {
      groupId: this.groupId,
      memberId: this.memberId,
      shareSessionEpoch: epoch,
      ...(version >= 2 ? { isRenewAck: given.isRenewAck ?? false } : {}),
      topics:
        acks.length === 0
          ? []
          : [
              {
                topicId,
                partitions: [{ partitionIndex: partition, acknowledgementBatches: batchesOf(acks) }],
              },
            ],
    });
    if (answer.errorCode === 0) this.epoch = epoch + 1;
    return answer;
  }

  /** The code of the request, or of the partition. */
  async acknowledge(
    acks: ReadonlyArray<readonly [first: number, last: number, ...types: number[]]>,
    given: { epoch?: number; version?: number; isRenewAck?: boolean } = {},
  ): Promise<number> {
    const { errorCode, responses } = await this.acknowledgeAnswer(acks, given);
    return errorCode || (responses[0]?.partitions[0]?.errorCode ?? 0);
  }

  close(): void {
    this.client.close();
  }
}

function batchesOf(acks: ReadonlyArray<readonly [first: number, last: number, ...types: number[]]>) {
  return acks.map(([firstOffset, lastOffset, ...acknowledgeTypes]) => ({
    firstOffset,
    lastOffset,
    acknowledgeTypes,
  }));
}
