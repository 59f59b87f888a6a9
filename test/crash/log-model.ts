import type { PartitionLog, Topic } from '../../broker/log/log.ts';
import { markerIn, readBatches } from '../support/record-batch.ts';
import { type Abort, TransactionHistory } from './transaction-history.ts';

/** What the outside world knows of one partition: what it was told and what it has read. */
interface PartitionModel {
  /** By offset: told to be durable. */
  readonly acknowledged: Map<number, string>;
  /** By offset: handed out by a read. */
  readonly seen: Map<number, string>;
  /** The highest start that the log ever had in memory. */
  startMax: number;
  /** The highest start that the log called durable. */
  startMin: number;
  readonly history: TransactionHistory;
  /** The highest last stable offset that a reader saw. */
  stableMax: number;
  /** What readers were told to leave out, of what was stable. */
  told: Array<{ from: number; to: number; aborted: string }>;
  /** By offset: when a lax topic acknowledged it. */
  readonly acknowledgedMs: Map<number, number>;
  /** The last that was seen. */
  epoch: number;
}

/** `flush.ms` of the lax topics here, and what a sync may take beyond. */
export const LAX_MS = 20;
const SYNC_MS_MAX = 5;

export function isLax({ configs }: Topic): boolean {
  return configs['flush.ms'] !== undefined;
}

/** One batch as it stands in the log. */
interface StoredBatch {
  readonly baseOffset: number;
  /** Of a marker, what it is. */
  readonly values: readonly string[];
}

/** Checks the log against what it promised. Throws with the first broken promise. */
export class LogModel {
  readonly partitions = new Map<string, PartitionModel>();
  /** Name to id, of topics whose creation was acknowledged and whose deletion was not asked for. */
  readonly topics = new Map<string, string>();
  readonly deleted = new Set<string>();
  /** Since the last look the power failed: lax topics may have lost the newest. */
  powerCut: { readonly atMs: number; readonly faults: boolean } | undefined;

  of(partition: PartitionLog, topicId: string): PartitionModel {
    const key = `${topicId}/${partition.partition}`;
    let model = this.partitions.get(key);
    if (!model) {
      model = {
        acknowledged: new Map(),
        seen: new Map(),
        startMax: 0,
        startMin: 0,
        history: new TransactionHistory(),
        stableMax: 0,
        told: [],
        acknowledgedMs: new Map(),
        epoch: 0,
      };
      this.partitions.set(key, model);
    }
    model.startMax = Math.max(model.startMax, partition.startOffset);
    model.epoch = Math.max(model.epoch, partition.leaderEpoch);
    return model;
  }

  /** Compares one read with everything known. */
  sawBytes(partition: PartitionLog, topicId: string, bytes: Buffer): number {
    const model = this.of(partition, topicId);
    let next = -1;
    for (const { baseOffset, values } of storedBatches(bytes, model.history)) {
      for (const [i, value] of values.entries()) {
        const offset = baseOffset + i;
        if (offset >= partition.highWatermark) throw new Error(`read ${offset}, not durable yet`);
        const before = model.seen.get(offset) ?? model.acknowledged.get(offset);
        if (before !== undefined && before !== value) {
          throw new Error(`offset ${offset} was ${before} and is ${value}`);
        }
        model.seen.set(offset, value);
      }
      next = baseOffset + values.length;
    }
    return next;
  }

  /** A reader of what is committed: what it got, how far that is stable, and what it is told to leave out. */
  sawCommitted(
    partition: PartitionLog,
    topicId: string,
    { bytes, from, stable, aborted }: { bytes: Buffer; from: number; stable: number; aborted: Abort[] },
  ): void {
    const to = this.sawBytes(partition, topicId, bytes);
    if (to > stable) throw new Error(`read to ${to}, which is stable to ${stable} only`);
    const model = this.of(partition, topicId);
    model.stableMax = Math.max(model.stableMax, stable);
    if (to > from) model.told.push({ from, to, aborted: written(aborted) });
  }

  /** While the log is in use: what is durable by now, and known to be. */
  checkStable(topics: readonly Topic[]): void {
    for (const topic of topics) {
      for (const partition of topic.partitions) {
        checkStable(`${topic.name}-${partition.partition}`, partition, this.of(partition, topic.id));
      }
    }
  }

  /** Reads everything and checks that nothing acknowledged is lost, doubled or out of order. */
  async verify(topics: readonly Topic[]): Promise<string> {
    for (const [name, id] of this.topics) {
      if (topics.find((topic) => topic.name === name)?.id !== id) throw new Error(`topic ${name} is lost`);
    }
    const dump: string[] = [];
    for (const topic of topics)
      if (isLax(topic)) for (const one of topic.partitions) this.#forgive(topic, one);
    this.powerCut = undefined;
    for (const topic of topics) {
      if (this.deleted.has(topic.id)) throw new Error(`topic ${topic.name} came back`);
      for (const partition of topic.partitions) dump.push(await this.#verifyPartition(topic, partition));
    }
    return dump.join('\n');
  }

  /** Forgets what a power cut may have taken: a suffix, younger than its topic allows, and never without a new epoch. */
  #forgive(topic: Topic, partition: PartitionLog): void {
    const { highWatermark: end, leaderEpoch } = partition;
    const model = this.partitions.get(`${topic.id}/${partition.partition}`);
    if (!this.powerCut || !model) return;
    const where = `${topic.name}-${partition.partition}`;
    // Markers are known to it alone.
    model.history.truncate(end);
    model.stableMax = Math.min(model.stableMax, end);
    model.told = model.told.filter(({ to }) => to <= end);
    const lost = [...model.acknowledged.keys(), ...model.seen.keys()].filter((offset) => offset >= end);
    if (lost.length === 0) return;
    if (leaderEpoch <= model.epoch) {
      throw new Error(`${where} gives offsets from ${end} out again in epoch ${leaderEpoch}`);
    }
    const { atMs, faults } = this.powerCut;
    for (const offset of lost) {
      const sinceMs = atMs - (model.acknowledgedMs.get(offset) ?? Infinity);
      if (!faults && sinceMs > LAX_MS + SYNC_MS_MAX) {
        throw new Error(
          `${where} lost ${offset}, acknowledged ${sinceMs} ms before, synced within ${LAX_MS}`,
        );
      }
      for (const known of [model.acknowledged, model.acknowledgedMs, model.seen]) known.delete(offset);
    }
  }

  async #verifyPartition(topic: Topic, partition: PartitionLog): Promise<string> {
    const where = `${topic.name}-${partition.partition}`;
    const model = this.of(partition, topic.id);
    const { startOffset, highWatermark } = partition;
    if (startOffset < model.startMin)
      throw new Error(`${where} starts at ${startOffset}, deleted to ${model.startMin}`);
    const found: string[] = [];
    let offset = startOffset;
    while (offset < highWatermark) {
      const bytes = await partition.read(offset, 600, true);
      if (bytes.length === 0) throw new Error(`${where} has nothing at ${offset} below ${highWatermark}`);
      for (const { baseOffset, values } of storedBatches(bytes, model.history)) {
        // What stands for lost records: nothing is compacted away here.
        if (values.length === 0) throw new Error(`${where} has lost ${baseOffset}`);
        if (baseOffset > offset) throw new Error(`${where} has a gap from ${offset} to ${baseOffset}`);
        // How readers are told of a lost end.
        if (values.length === 0) throw new Error(`${where} has no records at ${offset}`);
        // The start may lie within a batch.
        found.push(...values.slice(offset - baseOffset));
        offset = baseOffset + values.length;
      }
    }
    const at = (known: number): string | undefined => found[known - startOffset];
    for (const [kind, values] of [
      ['acknowledged', model.acknowledged],
      ['seen by a reader', model.seen],
    ] as const) {
      for (const [known, value] of values) {
        if (known >= startOffset && at(known) !== value) {
          throw new Error(`${where} at ${known}: ${kind} ${value}, got ${at(known) ?? 'nothing'}`);
        }
      }
    }
    checkOrder(where, found);
    checkStable(where, partition, model);
    await checkAborted(where, partition, model);
    // Without the padding.
    const brief = found.map((value) => value.replace(/:x*$/, ''));
    return `${where} ${startOffset}-${highWatermark}: ${brief.join(' ')}`;
  }
}

/** Notes the batches in the history; of markers, the values are what they are. */
function storedBatches(bytes: Buffer, history: TransactionHistory): StoredBatch[] {
  let at = 0;
  return readBatches(bytes).map(({ baseOffset, values }) => {
    const batch = bytes.subarray(at, at + 12 + bytes.readInt32BE(at + 8));
    at += batch.length;
    history.add(baseOffset, batch);
    const marker = markerIn(batch);
    return { baseOffset, values: marker ? [`${marker} of ${batch.readBigInt64BE(43)}`] : values };
  });
}

/** Whether the last stable offset and the open transactions are what the batches themselves say. */
function checkStable(where: string, partition: PartitionLog, model: PartitionModel): void {
  const { startOffset, highWatermark, lastStableOffset } = partition;
  const { open } = model.history.read();
  const want = Math.max(startOffset, Math.min(highWatermark, ...open.values()));
  if (lastStableOffset !== want) {
    throw new Error(`${where} is stable to ${lastStableOffset}, want ${want}`);
  }
  if (lastStableOffset < model.stableMax) {
    throw new Error(`${where} was stable to ${model.stableMax} and is to ${lastStableOffset}`);
  }
  const opened = partition
    .activeProducers()
    .filter(({ transactionStartOffset }) => transactionStartOffset >= 0)
    .map((one) => `${one.producerId} from ${one.transactionStartOffset}`);
  const wantOpen = [...open].map(([id, from]) => `${id} from ${from}`);
  if (opened.toSorted().join() !== wantOpen.toSorted().join()) {
    throw new Error(`${where} has open ${opened.join()}, want ${wantOpen.join()}`);
  }
}

/** Whether readers of what is committed are told what to leave out. */
async function checkAborted(where: string, partition: PartitionLog, model: PartitionModel): Promise<void> {
  const { startOffset, highWatermark } = partition;
  const { aborted } = model.history.read();
  const within = (from: number, to: number): string =>
    written(aborted.filter((one) => one.firstOffset < to && one.lastOffset >= from));
  const span = highWatermark - startOffset;
  for (const [from, to] of [
    [startOffset, highWatermark],
    [startOffset + Math.floor(span / 3), startOffset + Math.floor(span / 2)],
    [startOffset + Math.floor(span / 2), highWatermark],
  ] as const) {
    const got = written(await partition.abortedTransactions(from, to));
    if (got !== within(from, to)) {
      throw new Error(`${where} aborted in ${from}-${to}: ${got}, want ${within(from, to)}`);
    }
  }
  for (const { from, to, aborted: told } of model.told) {
    if (told !== within(from, to)) {
      throw new Error(`${where} was told of ${told} in ${from}-${to}, want ${within(from, to)}`);
    }
  }
}

function written(aborted: readonly Abort[]): string {
  return aborted
    .map(({ producerId, firstOffset, lastOffset }) => `${producerId}: ${firstOffset}-${lastOffset}`)
    .join(', ');
}

/** Values are `<producer>:<number>`; the numbers of one producer rise by one. */
function checkOrder(where: string, values: readonly string[]): void {
  const last = new Map<string, number>();
  for (const value of values) {
    const [producer = '', number] = value.split(':');
    // A marker.
    if (number === undefined) continue;
    const before = last.get(producer);
    if (before !== undefined && Number(number) !== before + 1) {
      throw new Error(`${where}: ${producer} goes from ${before} to ${number}`);
    }
    last.set(producer, Number(number));
  }
}
