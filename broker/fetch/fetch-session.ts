import type { AskedPartition } from './asked-partition.ts';

/**
 * What a client and the broker have agreed on (KIP-227): the partitions that the client follows, and what it was last
 * told of each. Each request names the epoch that the last one announced, so neither side can miss a step.
 */
export interface SessionPartition {
  readonly key: string;
  asked: AskedPartition;
  /** As last told; -1 makes the next answer include the partition. */
  highWatermark: number;
  logStartOffset: number;
}

/** The parts of an answer that decide whether an incremental one needs it. */
export interface Told {
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly logStartOffset: number;
  readonly hasRecords: boolean;
  readonly isDiverging: boolean;
}

export interface Forgotten {
  readonly topic: string;
  readonly topicId: string;
  readonly partitions: readonly number[];
}

const EPOCH_MAX = 2 ** 31 - 1;

/** Behind the greatest comes 1: 0 begins a session. */
export function nextEpoch(epoch: number): number {
  return epoch === EPOCH_MAX ? 1 : epoch + 1;
}

export class FetchSession {
  readonly id: number;
  /** Topics are named by id, in every request of the session. */
  readonly byId: boolean;
  readonly createdMs: number;
  lastUsedMs: number;
  /** Of the next request. */
  epoch = 1;
  /** In the order in which they are served. */
  readonly partitions = new Map<string, SessionPartition>();

  constructor(id: number, byId: boolean, nowMs: number) {
    this.id = id;
    this.byId = byId;
    this.createdMs = nowMs;
    this.lastUsedMs = nowMs;
  }

  /** Partitions that are new or asked for anew, and those that the client no longer follows. */
  update(asked: readonly AskedPartition[], forgotten: readonly Forgotten[]): void {
    for (const one of asked) {
      const key = keyOf(one);
      const known = this.partitions.get(key);
      if (known) known.asked = one;
      else this.partitions.set(key, { key, asked: one, highWatermark: -1, logStartOffset: -1 });
    }
    for (const { topic, topicId, partitions } of forgotten) {
      for (const partition of partitions) this.partitions.delete(keyOf({ topic, topicId, partition }));
    }
  }

  /** Takes note of the first answer, which tells everything. */
  begin(asked: AskedPartition, { highWatermark, logStartOffset }: Told): void {
    const known = this.partitions.get(keyOf(asked))!;
    known.highWatermark = highWatermark;
    known.logStartOffset = logStartOffset;
  }

  /** Takes note of an answer; true when the client must get it, as it says something new. */
  tell(known: SessionPartition, told: Told): boolean {
    const isNews =
      told.hasRecords ||
      told.isDiverging ||
      told.errorCode !== 0 ||
      known.highWatermark !== told.highWatermark ||
      known.logStartOffset !== told.logStartOffset;
    // When the error is gone, the client must hear of it.
    known.highWatermark = told.errorCode === 0 ? told.highWatermark : -1;
    known.logStartOffset = told.logStartOffset;
    if (told.hasRecords) {
      // To the end: who got nothing is served first the next time.
      this.partitions.delete(known.key);
      this.partitions.set(known.key, known);
    }
    return isNews;
  }
}

function keyOf({
  topic,
  topicId,
  partition,
}: Pick<AskedPartition, 'topic' | 'topicId' | 'partition'>): string {
  return `${topic} ${topicId} ${partition}`;
}
