import {
  initProducerId,
  produce,
  shareAcknowledge,
  shareFetch,
  shareGroupHeartbeat,
} from '../../../broker/wire/schemas/index.ts';
import type { SimRandom } from '../../sim/sim-random.ts';
import { readBatches, recordBatch } from '../../support/record-batch.ts';
import { ACK } from '../../support/share-member.ts';
import type { BrokerProcess } from './broker-process.ts';
import { type SimClient, TOPICS } from './sim-client.ts';
import type { View } from './view.ts';

const GROUP = 'workers';
const DELIVERIES_MAX = 10;

/** One record of the queue. */
interface Job {
  readonly value: string;
  /** Asked to be done with; told that it is. */
  isFinishAsked: boolean;
  isFinished: boolean;
  /** Highest delivery count seen; and the one that is known to be durable. */
  deliveries: number;
  durable: number;
}

/** A job in the worker's hands, and how often it was delivered. */
interface Held {
  readonly job: Job;
  readonly deliveries: number;
}

/** Fills a queue and works it off: an idempotent producer, and the only member of a share group. */
export class ShareWorker implements SimClient {
  readonly groupIds = [];
  readonly #given: Set<string>;
  readonly #jobs = new Map<string, Job>();
  /** Deliveries since the last answer that waited for the disk. */
  #fresh: Held[] = [];
  #unanswered = 0;
  #producerId: number | undefined;
  readonly #sequences = new Map<number, number>();
  #sending: { partition: number; values: readonly string[]; sequence: number } | undefined;
  #sent = 0;
  #memberEpoch = 0;
  #sessionEpoch = 0;
  readonly #held = new Map<number, Map<number, Held>>();

  constructor(given: Set<string>) {
    this.#given = given;
  }

  async live(process: BrokerProcess, random: SimRandom, actions: number): Promise<void> {
    await this.#begin(process);
    for (let i = 0; i < actions; i += 1) {
      await process.sleep(random.unit() * 3);
      const dice = random.unit();
      if (dice < 0.35 || this.#sending) await this.#produce(process, random);
      else if (dice < 0.7) await this.#fetch(process);
      else await this.#acknowledge(process, (job) => this.#judge(job, random));
    }
  }

  check({ byWriter }: View): void {
    const there = new Set((byWriter.get('queue') ?? []).map(({ value }) => value));
    for (const value of this.#jobs.keys()) if (!there.has(value)) throw new Error(`${value} is lost`);
    if (there.size !== (byWriter.get('queue') ?? []).length) throw new Error('a job is there twice');
  }

  /** Works off what is left. Whatever nobody was done with, and was not given up, must come. */
  async drain(process: BrokerProcess): Promise<void> {
    await this.#begin(process);
    const came = new Set<Job>();
    for (let got = 1; got > 0;) {
      got = await this.#fetch(process);
      for (const jobs of this.#held.values()) for (const { job } of jobs.values()) came.add(job);
      await this.#acknowledge(process, () => ACK.accept);
    }
    for (const job of this.#jobs.values()) {
      const mayBeGivenUp = job.deliveries + this.#unanswered >= DELIVERIES_MAX;
      if (!came.has(job) && !job.isFinishAsked && !mayBeGivenUp) {
        throw new Error(`${job.value} is never delivered`);
      }
    }
  }

  async #begin(process: BrokerProcess): Promise<void> {
    this.#held.clear();
    this.#fresh = [];
    this.#sessionEpoch = 0;
    if (this.#producerId === undefined) {
      const { errorCode, producerId } = await process.ask(initProducerId, 4, {
        transactionalId: null,
        transactionTimeoutMs: 0,
        producerId: -1,
        producerEpoch: -1,
      });
      if (errorCode !== 0) throw new Error(`cannot get a producer id: got ${errorCode}`);
      if (this.#given.has(`${producerId}/0`)) throw new Error(`producer ${producerId} was given twice`);
      this.#given.add(`${producerId}/0`);
      this.#producerId = producerId;
    }
    const answer = await process.ask(shareGroupHeartbeat, 1, {
      groupId: GROUP,
      memberId: 'worker',
      memberEpoch: this.#memberEpoch,
      subscribedTopicNames: ['queue'],
    });
    if (answer.errorCode !== 0) {
      throw new Error(`a share member of epoch ${this.#memberEpoch} is answered ${answer.errorCode}`);
    }
    if (answer.memberEpoch < this.#memberEpoch) throw new Error('the epoch of a share member fell back');
    this.#memberEpoch = answer.memberEpoch;
  }

  async #produce(process: BrokerProcess, random: SimRandom): Promise<void> {
    this.#sending ??= this.#plan(random);
    const { partition, values, sequence } = this.#sending;
    const before = this.#fresh;
    this.#fresh = [];
    const records = recordBatch({
      values,
      producerId: this.#producerId!,
      producerEpoch: 0,
      baseSequence: sequence,
    });
    const { responses } = await process.ask(produce, 9, {
      transactionalId: null,
      acks: -1,
      timeoutMs: 1_000,
      topicData: [{ name: 'queue', partitionData: [{ index: partition, records }] }],
    });
    const { errorCode } = responses[0]!.partitionResponses[0]!;
    if (errorCode !== 0) throw new Error(`cannot produce: got ${errorCode}`);
    for (const value of values) this.#job(value);
    this.#sending = undefined;
    // What was delivered before lies in front of this in the one write-ahead log.
    for (const { job, deliveries } of before) job.durable = Math.max(job.durable, deliveries);
  }

  #plan(random: SimRandom) {
    const partition = random.below(TOPICS.queue);
    const values = Array.from({ length: 1 + random.below(3) }, () => `queue:${this.#sent++}`);
    const sequence = this.#sequences.get(partition) ?? 0;
    this.#sequences.set(partition, sequence + values.length);
    return { partition, values, sequence };
  }

  async #fetch(process: BrokerProcess): Promise<number> {
    const { id: topicId } = process.log.topic('queue')!;
    this.#unanswered += 1;
    const answer = await process.ask(shareFetch, 2, {
      groupId: GROUP,
      memberId: 'worker',
      shareSessionEpoch: this.#sessionEpoch,
      maxWaitMs: 0,
      minBytes: 1,
      maxRecords: 4,
      batchSize: 4,
      topics:
        this.#sessionEpoch > 0
          ? []
          : [
              {
                topicId,
                partitions: Array.from({ length: TOPICS.queue }, (_, partitionIndex) => ({
                  partitionIndex,
                  acknowledgementBatches: [],
                })),
              },
            ],
      forgottenTopicsData: [],
    });
    this.#unanswered -= 1;
    if (answer.errorCode !== 0) throw new Error(`cannot fetch: got ${answer.errorCode}`);
    this.#sessionEpoch += 1;
    let got = 0;
    for (const { partitionIndex, errorCode, records, acquiredRecords } of answer.responses.flatMap(
      ({ partitions }) => partitions,
    )) {
      if (errorCode !== 0) throw new Error(`cannot fetch: got ${errorCode} for a partition`);
      const values = valuesIn(records);
      for (const { firstOffset, lastOffset, deliveryCount } of acquiredRecords) {
        for (let offset = firstOffset; offset <= lastOffset; offset += 1) {
          this.#receive(partitionIndex, offset, values.get(offset)!, deliveryCount);
          got += 1;
        }
      }
    }
    return got;
  }

  #receive(partition: number, offset: number, value: string, deliveryCount: number): void {
    const job = this.#job(value);
    const held = this.#held.get(partition) ?? new Map<number, Held>();
    this.#held.set(partition, held);
    if (job.isFinished) throw new Error(`${value} is delivered, but was done`);
    if (held.has(offset)) throw new Error(`${value} is delivered to who has it`);
    if (deliveryCount <= job.durable) {
      throw new Error(`${value} is delivered for the ${deliveryCount}. time, was ${job.durable} times`);
    }
    const now = { job, deliveries: deliveryCount };
    held.set(offset, now);
    job.deliveries = Math.max(job.deliveries, deliveryCount);
    this.#fresh.push(now);
  }

  #judge(job: Job, random: SimRandom): number | undefined {
    if (random.chance(0.2)) return undefined;
    // So that none is given up.
    if (job.deliveries > DELIVERIES_MAX - 4) return ACK.accept;
    return random.pick([ACK.accept, ACK.accept, ACK.release, ACK.reject]);
  }

  async #acknowledge(process: BrokerProcess, judge: (job: Job) => number | undefined): Promise<void> {
    if (this.#sessionEpoch === 0) return;
    const { id: topicId } = process.log.topic('queue')!;
    const judged: Array<{ partition: number; offset: number; held: Held; type: number }> = [];
    for (const [partition, jobs] of this.#held) {
      for (const [offset, held] of jobs) {
        const type = judge(held.job);
        if (type !== undefined) judged.push({ partition, offset, held, type });
      }
    }
    if (judged.length === 0) return;
    for (const { held, type } of judged) if (type !== ACK.release) held.job.isFinishAsked = true;
    const { errorCode, responses } = await process.ask(shareAcknowledge, 2, {
      groupId: GROUP,
      memberId: 'worker',
      shareSessionEpoch: this.#sessionEpoch,
      topics: [
        {
          topicId,
          partitions: [...this.#held.keys()].map((partitionIndex) => ({
            partitionIndex,
            acknowledgementBatches: judged
              .filter(({ partition }) => partition === partitionIndex)
              .toSorted((a, b) => a.offset - b.offset)
              .map(({ offset, type }) => ({
                firstOffset: offset,
                lastOffset: offset,
                acknowledgeTypes: [type],
              })),
          })),
        },
      ],
    });
    const codes = [
      errorCode,
      ...responses.flatMap(({ partitions }) => partitions.map((one) => one.errorCode)),
    ];
    if (codes.some((code) => code !== 0)) throw new Error(`cannot acknowledge: got ${codes.join()}`);
    this.#sessionEpoch += 1;
    for (const { partition, offset, held, type } of judged) {
      const { job, deliveries } = held;
      this.#held.get(partition)!.delete(offset);
      job.isFinished ||= type !== ACK.release;
      job.durable = Math.max(job.durable, deliveries);
    }
  }

  #job(value: string): Job {
    let job = this.#jobs.get(value);
    if (!job) {
      job = { value, isFinishAsked: false, isFinished: false, deliveries: 0, durable: 0 };
      this.#jobs.set(value, job);
    }
    return job;
  }
}

function valuesIn(records: Buffer | null): Map<number, string> {
  const values = new Map<number, string>();
  const bytes = records ?? Buffer.alloc(0);
  for (let at = 0; at < bytes.length; at += 12 + bytes.readInt32BE(at + 8)) {
    const batch = bytes.subarray(at, at + 12 + bytes.readInt32BE(at + 8));
    const baseOffset = Number(batch.readBigInt64BE(0));
    for (const [i, value] of readBatches(batch)[0]!.values.entries()) values.set(baseOffset + i, value);
  }
  return values;
}
