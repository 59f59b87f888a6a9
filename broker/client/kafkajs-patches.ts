import kafkajs, { type PartitionAssigner } from 'kafkajs';
import KafkajsBroker, { type KafkajsFetched } from 'kafkajs/src/broker/index.js';
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';

import { CODECS, DECOMPRESSED_BYTES_MAX } from '../records/codecs.ts';
import { hideAborted } from './kafkajs-aborted.ts';

// Node sees the names of a CommonJS module only up to the first that is computed, and this one lies behind it.
const { CompressionCodecs } = kafkajs;

/**
 * What kafkajs 2.2.4 needs before it is used. The release is the last one (2023) and pinned exactly, so that
 * reaching into it is safe; a test fails if the patched methods are gone.
 *
 * 1. *Idle timer.* `RequestQueue.scheduleCheckPendingRequests` re-arms a timer of 1 ms for ever on an idle
 *    connection (about 6 % of a core each, and a TimeoutNegativeWarning on Node 24). A check is needed only when
 *    requests wait (https://github.com/tulios/kafkajs/issues/1751).
 * 2. *Codecs.* Only gzip is built in, and without a bound (https://github.com/tulios/kafkajs/issues/1795).
 * 3. *Assignment hooks.* kafkajs tells of rebalances by events that it does not wait for. The port promises that
 *    `onRevoked` ends before the assignment is given up and `onAssigned` before the first batch, so joining and
 *    leaving wait for hooks that a consumer attaches to its partition assigner.
 * 4. *Offset out of range.* kafkajs commits the marker -2 ("earliest") as the group's position, also with
 *    autoCommit off. Only the owner of the position may move it, so reading goes on at the earliest record.
 * 5. *Aborted transactions.* Its filter may drop committed records (`hideAborted`).
 */
export function patchKafkajs(): void {
  if (patched) return;
  patched = true;
  patchFetch();
  patchIdleTimer();
  registerCodecs();
  patchGroup();
}

let patched = false;

function patchIdleTimer(): void {
  const proto = RequestQueue.prototype;
  const schedule = proto.scheduleCheckPendingRequests;
  proto.scheduleCheckPendingRequests = function (): void {
    if (this.pending.length > 0) schedule.call(this);
  };
}

function registerCodecs(): void {
  for (const codec of CODECS) {
    if (codec.id === 0) continue;
    CompressionCodecs[codec.id as keyof typeof CompressionCodecs] = () => ({
      compress: (encoder: { buffer: Buffer }) => Promise.resolve(codec.compress(encoder.buffer)),
      decompress: (data: Buffer) => Promise.resolve(codec.decompress(data, DECOMPRESSED_BYTES_MAX)),
    });
  }
}

function patchFetch(): void {
  const proto = KafkajsBroker.prototype;
  const { fetch } = proto;
  proto.fetch = async function (request): Promise<KafkajsFetched> {
    const answer = await fetch.call(this, request);
    for (const { partitions } of answer.responses) for (const partition of partitions) hideAborted(partition);
    return answer;
  };
}

/** A consumer's part in joining and leaving; each is awaited. */
export interface GroupHooks {
  /** Fetching has stopped, the old assignment (if any) still holds. */
  beforeJoin(group: ConsumerGroup): Promise<void>;
  afterJoin(group: ConsumerGroup): Promise<void>;
  beforeLeave(group: ConsumerGroup): Promise<void>;
  /** The position had no record (expired, or the topic was made anew); reading goes on at `offset`. */
  outOfRange(position: { topic: string; partition: number; offset: string }): void;
}

const hooksOf = new WeakMap<object, GroupHooks>();

/** The assigner with hooks attached: give it to exactly one consumer. */
export function withHooks(assigner: PartitionAssigner, hooks: GroupHooks): PartitionAssigner {
  return (config) => {
    const made = assigner(config);
    hooksOf.set(made, hooks);
    return made;
  };
}

function patchGroup(): void {
  const proto = ConsumerGroup.prototype;
  const { joinAndSync, leave } = proto;
  proto.joinAndSync = async function (): Promise<void> {
    const hooks = find(this);
    await hooks?.beforeJoin(this);
    await joinAndSync.call(this);
    await hooks?.afterJoin(this);
  };
  proto.leave = async function (): Promise<void> {
    await find(this)?.beforeLeave(this);
    await leave.call(this);
  };
  proto.recoverFromOffsetOutOfRange = async function ({ topic, partition }): Promise<void> {
    const earliest = { topic, partitions: [{ partition }], fromBeginning: true };
    const [found] = await this.cluster.fetchTopicsOffset([earliest]);
    const position = { topic, partition, offset: found?.partitions[0]?.offset ?? '0' };
    this.seek(position);
    find(this)?.outOfRange(position);
  };
}

function find(group: ConsumerGroup): GroupHooks | undefined {
  for (const assigner of group.assigners) {
    const hooks = hooksOf.get(assigner);
    if (hooks) return hooks;
  }
  return undefined;
}
