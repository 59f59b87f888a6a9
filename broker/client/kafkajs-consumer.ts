import {
  type EachBatchPayload,
  type Kafka,
  PartitionAssigners,
  type Consumer as KafkajsConsumer,
} from 'kafkajs';
import type ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';

import type { Host } from '../host/host.ts';
import { Backoff } from './backoff.ts';
import { deadline } from './deadline.ts';
import { KafkaError } from './error.ts';
import { kafkaErrorOf } from './kafkajs-errors.ts';
import { type GroupHooks, withHooks } from './kafkajs-patches.ts';
import type { ConsumedBatch, ConsumedRecord, Consumer, ConsumerOptions, TopicPartition } from './port.ts';

// Kafka's default minimum. After a kill -9 the successor waits for this long until the dead member is gone, and
// the heartbeats below go on whatever the member is busy with.
const SESSION_TIMEOUT_MS = 6_000;
/** How long the group waits for a member that is still finishing (`onRevoked`). */
const REBALANCE_TIMEOUT_MS = 60_000;
const REVOKE_TIMEOUT_MS = 30_000;
/** A session without any sign of life for so long is replaced: kafkajs has ways to stop without a word. */
const SILENCE_MS = 120_000;
/** Partitions handed out at the same time; more just wait for a place. */
const PARTITIONS_IN_PARALLEL = 64;
const COMMIT_ATTEMPTS = 4;

export interface ConsumerTiming {
  /** How soon a member hears of a rebalance. */
  readonly heartbeatIntervalMs: number;
  /** How long a fetch waits at the broker; a stop on an idle topic waits for it. */
  readonly fetchWaitMs: number;
}

export const CONSUMER_TIMING: ConsumerTiming = { heartbeatIntervalMs: 1_000, fetchWaitMs: 500 };

/**
 * A member of a consumer group over kafkajs, kept alive: kafkajs gives up after its retries (and restarts only
 * after some errors), so every session that ends is followed by a new one until `close`.
 */
export function kafkajsConsumer(
  kafka: Kafka,
  host: Host,
  options: ConsumerOptions,
  timing: ConsumerTiming,
): Consumer {
  const stopped = new AbortController();
  let session: Session | undefined;

  const supervise = async (): Promise<void> => {
    const backoff = new Backoff(host.random, 200, 5_000);
    let failing = false;
    while (!stopped.signal.aborted) {
      session = new Session(kafka, host, options, timing, () => {
        backoff.reset();
        if (failing) host.log.info({ group: options.groupId }, 'consumer group reached again');
        failing = false;
      });
      const reason = await session.run(stopped.signal);
      if (stopped.signal.aborted) break;
      if (!failing)
        host.log.warn({ group: options.groupId, reason }, 'consumer session ended, joining again');
      failing = true;
      await host.timers.sleep(backoff.next(), stopped.signal);
    }
  };
  const supervised = supervise();

  const current = (doing: string): Session => {
    if (session) return session;
    throw new KafkaError('CLOSED', `cannot ${doing}: the consumer has no session`, false);
  };

  return {
    commit: (offsets) => current('commit').commit(offsets),
    pause: (partitions) => current('pause').pause(partitions),
    resume: (partitions) => current('resume').resume(partitions),
    seek: (position) => current('seek').seek(position),
    async close() {
      stopped.abort();
      await supervised;
    },
  };
}

/** One life of a kafkajs consumer, from its start until it crashes, goes silent or is stopped. */
class Session {
  private readonly host: Host;
  private readonly options: ConsumerOptions;
  private readonly consumer: KafkajsConsumer;
  private readonly onJoined: () => void;
  private readonly heartbeatIntervalMs: number;
  private group: ConsumerGroup | undefined;
  private assigned: readonly TopicPartition[] = [];
  /** `onAssigned` has ended well, and the assignment was not revoked since. */
  private ready = false;
  private ended = false;
  private lastSignMs: number;

  constructor(
    kafka: Kafka,
    host: Host,
    options: ConsumerOptions,
    timing: ConsumerTiming,
    onJoined: () => void,
  ) {
    this.host = host;
    this.heartbeatIntervalMs = timing.heartbeatIntervalMs;
    this.options = options;
    this.onJoined = onJoined;
    this.lastSignMs = host.clock.monotonicMs();
    const hooks: GroupHooks = {
      beforeJoin: () => this.revoke(),
      afterJoin: (group) => this.assign(group),
      beforeLeave: () => this.revoke(),
      outOfRange: (position) =>
        host.log.warn(
          { group: options.groupId, ...position },
          'position out of range, reading from the earliest',
        ),
    };
    this.consumer = kafka.consumer({
      groupId: options.groupId,
      partitionAssigners: [withHooks(PartitionAssigners.roundRobin, hooks)],
      sessionTimeout: SESSION_TIMEOUT_MS,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      heartbeatInterval: timing.heartbeatIntervalMs,
      maxWaitTimeInMs: timing.fetchWaitMs,
      maxBytesPerPartition: 2 * 1024 * 1024,
      maxBytes: 16 * 1024 * 1024,
      allowAutoTopicCreation: false,
      retry: {
        initialRetryTime: 100,
        multiplier: 2,
        maxRetryTime: 2_000,
        retries: 6,
        restartOnFailure: () => Promise.resolve(false),
      },
    });
  }

  /** Runs until the end; the result says why. Never rejects. */
  async run(stop: AbortSignal): Promise<string> {
    const { consumer, host } = this;
    const { CRASH, FETCH, HEARTBEAT } = consumer.events;
    let end: (reason: string) => void = () => undefined;
    const ended = new Promise<string>((resolve) => (end = resolve));
    consumer.on(CRASH, ({ payload }) => end(payload.error.message));
    consumer.on(FETCH, () => this.sign());
    consumer.on(HEARTBEAT, () => this.sign());
    const onStop = (): void => end('stopped');
    stop.addEventListener('abort', onStop);
    const cancelWatch = host.timers.every(SILENCE_MS / 8, () => {
      if (host.clock.monotonicMs() - this.lastSignMs > SILENCE_MS) end(`silent for ${SILENCE_MS} ms`);
    });
    try {
      if (!stop.aborted) {
        await consumer.connect();
        await consumer.subscribe({ topics: [...this.options.topics], fromBeginning: true });
        await consumer.run({
          autoCommit: false,
          eachBatchAutoResolve: false,
          partitionsConsumedConcurrently: PARTITIONS_IN_PARALLEL,
          eachBatch: (payload) => this.deliver(payload),
        });
      }
      return await ended;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      cancelWatch();
      stop.removeEventListener('abort', onStop);
      await this.disconnect();
    }
  }

  async commit(offsets: Parameters<Consumer['commit']>[0]): Promise<void> {
    const group = this.group;
    const doing = `commit offsets of ${this.options.groupId}`;
    if (!group) throw new KafkaError('NOT_ASSIGNED', `cannot ${doing}: no partition is assigned`, false);
    const byTopic = new Map<string, Array<{ partition: number; offset: string }>>();
    for (const { topic, partition, offset } of offsets) {
      // A member may commit any partition of its group: what another owns now must not be moved back.
      if (!this.assigned.some((one) => one.topic === topic && one.partition === partition)) {
        throw new KafkaError('NOT_ASSIGNED', `cannot ${doing}: ${topic}/${partition} is not assigned`, false);
      }
      const list = byTopic.get(topic) ?? [];
      list.push({ partition, offset: String(offset) });
      byTopic.set(topic, list);
    }
    const topics = [...byTopic].map(([topic, partitions]) => ({ topic, partitions }));
    for (let attempt = 1; ; attempt += 1) {
      try {
        await group.commitOffsets({ topics });
        return;
      } catch (error) {
        const failure = kafkaErrorOf(error, doing);
        if (!failure.retriable || attempt === COMMIT_ATTEMPTS || this.ended) throw failure;
        await this.host.timers.sleep(100 * 2 ** attempt);
      }
    }
  }

  pause(partitions: readonly TopicPartition[]): void {
    if (this.group) this.consumer.pause(partitions.map(kafkajsPartition));
  }

  resume(partitions: readonly TopicPartition[]): void {
    if (this.group) this.consumer.resume(partitions.map(kafkajsPartition));
  }

  seek({ topic, partition, offset }: Parameters<Consumer['seek']>[0]): void {
    if (this.group) this.consumer.seek({ topic, partition, offset: String(offset) });
  }

  private sign(): void {
    this.lastSignMs = this.host.clock.monotonicMs();
  }

  private async assign(group: ConsumerGroup): Promise<void> {
    this.group = group;
    this.assigned = group
      .assigned()
      .flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })));
    // An assignment starts unpaused, as in Kafka's Java client.
    group.resume(this.options.topics.map((topic) => ({ topic })));
    this.onJoined();
    const backoff = new Backoff(this.host.random, 100, 5_000);
    while (!this.ended) {
      try {
        await this.alive(this.options.onAssigned?.(this.assigned) ?? Promise.resolve(), (beat) =>
          group.heartbeat(beat),
        );
        this.ready = true;
        return;
      } catch (error) {
        if (error instanceof LostMembership) return;
        this.host.log.warn(
          { group: this.options.groupId, error: textOf(error) },
          'cannot take the assignment',
        );
      }
      await this.host.timers.sleep(backoff.next());
    }
  }

  private async revoke(): Promise<void> {
    const revoked = this.assigned;
    const wasReady = this.ready;
    try {
      if (wasReady && this.options.onRevoked) {
        const finishing = this.options.onRevoked(revoked);
        await deadline(this.host.timers, finishing, REVOKE_TIMEOUT_MS, 'finish revoked partitions');
      }
    } catch (error) {
      this.host.log.warn(
        { group: this.options.groupId, error: textOf(error) },
        'cannot finish the assignment',
      );
    } finally {
      this.ready = false;
      this.assigned = [];
    }
  }

  private async deliver(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    const heartbeat = (): Promise<void> => payload.heartbeat();
    const records = batch.messages.map(recordOf);
    const last = records.at(-1);
    if (!last) return;
    const consumed: ConsumedBatch = {
      topic: batch.topic,
      partition: batch.partition,
      records,
      highWatermark: Number(batch.highWatermark),
    };
    const backoff = new Backoff(this.host.random, 100, 5_000);
    for (;;) {
      if (!this.ready || !payload.isRunning() || payload.isStale()) return;
      try {
        const lost = await this.alive(this.options.onBatch(consumed), heartbeat).catch((error: unknown) => {
          if (error instanceof LostMembership) return error;
          throw error;
        });
        if (!payload.isStale()) payload.resolveOffset(String(last.offset));
        if (lost) throw lost.cause;
        return;
      } catch (error) {
        // A rebalance is kafkajs' to handle; anything else is the reader's, and the same batch comes again.
        if (isKafkajs(error)) throw error;
        const { topic, partition } = consumed;
        this.host.log.warn(
          { topic, partition, error: textOf(error) },
          'cannot process a batch, trying again',
        );
      }
      await this.alive(this.host.timers.sleep(backoff.next()), heartbeat).catch((error: unknown) => {
        throw error instanceof LostMembership ? error.cause : error;
      });
    }
  }

  /**
   * Waits for the work while heartbeats go on. When the coordinator says that the membership is over, the work
   * is still awaited, then a `LostMembership` is thrown.
   */
  private async alive(
    work: Promise<void>,
    beat: (options: { interval: number }) => Promise<void>,
  ): Promise<undefined> {
    let lost: LostMembership | undefined;
    let beating = false;
    const cancel = this.host.timers.every(this.heartbeatIntervalMs, () => {
      if (beating || lost) return;
      beating = true;
      this.sign();
      beat({ interval: this.heartbeatIntervalMs })
        .catch((error: unknown) => {
          // A connection that is away comes back or ends the session elsewhere; only the coordinator's word counts.
          if (typeof (error as { type?: unknown }).type === 'string') lost = new LostMembership(error);
        })
        .finally(() => (beating = false));
    });
    try {
      await work;
    } finally {
      cancel();
    }
    if (lost) throw lost;
    return undefined;
  }

  private async disconnect(): Promise<void> {
    const disconnected = this.consumer.disconnect();
    await deadline(this.host.timers, disconnected, REVOKE_TIMEOUT_MS + 10_000, 'leave the group').catch(
      (error: unknown) => this.host.log.debug({ error: textOf(error) }, 'consumer did not leave its group'),
    );
    this.ended = true;
    await this.revoke();
    this.group = undefined;
  }
}

class LostMembership extends Error {
  constructor(cause: unknown) {
    super('the coordinator ended the membership', { cause });
  }
}

function recordOf(message: EachBatchPayload['batch']['messages'][number]): ConsumedRecord {
  const headers: Record<string, Buffer> = {};
  for (const [name, value] of Object.entries(message.headers ?? {})) {
    // A header may repeat; the last one counts.
    const last = Array.isArray(value) ? value.at(-1) : value;
    if (last !== undefined) headers[name] = Buffer.from(last);
  }
  return {
    offset: Number(message.offset),
    timestampMs: Number(message.timestamp),
    key: message.key,
    value: message.value,
    headers,
  };
}

function kafkajsPartition({ topic, partition }: TopicPartition): { topic: string; partitions: number[] } {
  return { topic, partitions: [partition] };
}

function isKafkajs(error: unknown): boolean {
  return error instanceof Error && error.name.startsWith('KafkaJS');
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
