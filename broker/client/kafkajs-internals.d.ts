// The two classes inside kafkajs that `kafkajs-patches.ts` changes, as far as it touches them.

declare module 'kafkajs/src/network/requestQueue/index.js' {
  export default class RequestQueue {
    pending: unknown[];
    throttledUntil: number;
    scheduleCheckPendingRequests: (this: RequestQueue) => void;
  }
}

declare module 'kafkajs/src/consumer/consumerGroup.js' {
  export default class ConsumerGroup {
    readonly assigners: ReadonlyArray<{ readonly name: string }>;
    memberId: string | null;
    joinAndSync: (this: ConsumerGroup) => Promise<void>;
    leave: (this: ConsumerGroup) => Promise<void>;
    recoverFromOffsetOutOfRange: (
      this: ConsumerGroup,
      error: { topic: string; partition: number },
    ) => Promise<void>;
    readonly cluster: {
      fetchTopicsOffset(
        topics: Array<{ topic: string; partitions: Array<{ partition: number }>; fromBeginning: boolean }>,
      ): Promise<Array<{ topic: string; partitions: Array<{ partition: number; offset: string }> }>>;
    };
    seek(position: { topic: string; partition: number; offset: string }): void;
    assigned(): Array<{ topic: string; partitions: number[] }>;
    heartbeat(options: { interval: number }): Promise<void>;
    resume(partitions: ReadonlyArray<{ topic: string; partitions?: number[] }>): void;
    commitOffsets(offsets: {
      topics: Array<{ topic: string; partitions: Array<{ partition: number; offset: string }> }>;
    }): Promise<void>;
  }
}

declare module 'kafkajs/src/producer/partitioners/default/murmur2.js' {
  export default function murmur2(key: Buffer): number;
}

declare module 'kafkajs/src/broker/index.js' {
  export interface KafkajsFetched {
    readonly responses: ReadonlyArray<{
      readonly partitions: Array<import('./kafkajs-aborted.ts').FetchedPartition>;
    }>;
  }

  export default class Broker {
    fetch: (this: Broker, request: object) => Promise<KafkajsFetched>;
  }
}

declare module 'kafkajs/src/consumer/batch.js' {
  export default class Batch {
    readonly messages: Array<import('./kafkajs-aborted.ts').FetchedMessage>;
    constructor(topic: string, fetchedOffset: string, partition: object);
    isEmptyDueToFiltering(): boolean;
    lastOffset(): string;
  }
}
