import type { DiskLog } from '../../../broker/log/disk-log.ts';
import type { PartitionLog } from '../../../broker/log/log.ts';
import type { Partition } from '../../../broker/log/partition/partition.ts';
import { encodeMarker } from '../../../broker/log/producers/transaction-marker.ts';
import { batchesOf, encodeBatch, recordsOf } from '../../../broker/state/record-batch.ts';
import { markerIn, readBatches, recordBatch } from '../../support/record-batch.ts';
import { TransactionHistory } from '../transaction-history.ts';

interface Sent {
  readonly producerId: number;
  readonly sequence: number;
  readonly values: readonly string[];
  readonly baseOffset: number;
  isAcknowledged: boolean;
}

interface KeyedRecord {
  readonly key: string;
  readonly value: string | null;
  isAcknowledged: boolean;
}

/** What was asked of one partition, and what of it was answered. */
interface PartitionPromises {
  readonly sent: Sent[];
  /** Records with keys, by offset, in a compacted topic. */
  readonly keyed: Map<number, KeyedRecord>;
  /** Durable batches and markers of transactions, by base offset. */
  readonly durable: Map<number, Buffer>;
  /** Everything that was appended, as it must be read back, by base offset. */
  readonly written: Map<number, string>;
  /** To here DeleteRecords was answered, and asked. */
  deletedTo: number;
  askedTo: number;
  /** Retention may take what it likes, below what a group that it waits for has not read. */
  mayExpire: boolean;
  heldFrom: number;
}

interface TopicPromises {
  readonly name: string;
  /** Partitions that were answered, and asked for. */
  answered: number;
  asked: number;
  state: 'creating' | 'there' | 'deleting' | 'deleted';
}

const SECOND_MS = 1_000;

/** What a log promised so far. Its checks change nothing here, so that many disks are judged by the same promises. */
export class Promises {
  readonly #partitions = new Map<string, PartitionPromises>();
  readonly #topics = new Map<string, TopicPromises>();
  readonly #sequences = new Map<string, number>();
  count = 0;

  async createTopic(
    log: DiskLog,
    name: string,
    partitions: number,
    configs: Readonly<Record<string, string>> = {},
  ): Promise<readonly Partition[]> {
    const topic: TopicPromises = { name, answered: 0, asked: partitions, state: 'creating' };
    this.#topics.set(name, topic);
    const made = await log.createTopic({ name, partitions, configs });
    topic.state = 'there';
    topic.answered = partitions;
    this.count += 1;
    for (const partition of made.partitions)
      this.#of(partition).mayExpire = 'retention.ms' in configs || 'retention.bytes' in configs;
    return made.partitions as readonly Partition[];
  }

  async grow(log: DiskLog, name: string, partitions: number): Promise<void> {
    const topic = this.#topics.get(name)!;
    topic.asked = partitions;
    await log.createPartitions(name, partitions);
    topic.answered = partitions;
    this.count += 1;
  }

  async deleteTopic(log: DiskLog, name: string): Promise<void> {
    const topic = this.#topics.get(name)!;
    topic.state = 'deleting';
    this.count += 1;
    await log.deleteTopic(name);
    topic.state = 'deleted';
    this.count += 1;
  }

  async deleteBefore(partition: Partition, offset: number): Promise<void> {
    const promises = this.#of(partition);
    promises.askedTo = Math.max(promises.askedTo, offset);
    await partition.deleteBefore(offset);
    promises.deletedTo = Math.max(promises.deletedTo, offset);
    this.count += 1;
  }

  /** From now on nothing at or above the offset may go. */
  hold(partition: Partition, from: number): void {
    this.#of(partition).heldFrom = from;
    this.count += 1;
  }

  /** Resolves when it is durable. */
  async send(
    log: DiskLog,
    partition: Partition,
    producerId: number,
    count: number,
    bytes = 20,
    transactional = false,
  ): Promise<void> {
    const key = `${producerId} ${placeOf(partition)}`;
    const sequence = this.#sequences.get(key) ?? 0;
    this.#sequences.set(key, sequence + count);
    const values = Array.from(
      { length: count },
      (_, i) => `${producerId}:${sequence + i}:${'x'.repeat(bytes)}`,
    );
    const batch = batchOf(producerId, sequence, values, log.host.clock.nowMs(), transactional);
    const history = Buffer.from(batch);
    const { baseOffset, durable } = partition.append(batch, {
      nowMs: log.host.clock.nowMs(),
      origin: 'client',
      transactionVersion: transactional ? 1 : undefined,
    });
    const promises = this.#of(partition);
    const sent: Sent = { producerId, sequence, values, baseOffset, isAcknowledged: false };
    promises.sent.push(sent);
    promises.written.set(baseOffset, values.join());
    await durable;
    sent.isAcknowledged = true;
    if (transactional) promises.durable.set(baseOffset, history);
    this.count += 1;
  }

  async end(log: DiskLog, partition: Partition, producerId: number, commit: boolean): Promise<void> {
    const marker = { producerId, producerEpoch: 0, coordinatorEpoch: 0, commit };
    const nowMs = log.host.clock.nowMs();
    const { baseOffset, durable } = partition.appendMarker({ ...marker, transactionVersion: 1 }, nowMs);
    const promises = this.#of(partition);
    promises.written.set(baseOffset, commit ? 'commit' : 'abort');
    await durable;
    promises.durable.set(baseOffset, encodeMarker(marker, nowMs));
    this.count += 1;
  }

  async put(log: DiskLog, partition: Partition, key: string, value: string | null): Promise<void> {
    const nowMs = log.host.clock.nowMs();
    const batch = encodeBatch(
      [{ key: Buffer.from(key), value: value === null ? null : Buffer.from(value) }],
      nowMs,
    );
    const { baseOffset, durable } = partition.append(batch, { nowMs, origin: 'coordinator' });
    const record: KeyedRecord = { key, value, isAcknowledged: false };
    this.#of(partition).keyed.set(baseOffset, record);
    await durable;
    record.isAcknowledged = true;
    this.count += 1;
  }

  /** Throws on the first broken promise; returns what there is to see. */
  async check(log: DiskLog): Promise<string> {
    if (log.storageError) throw new Error(`cannot write after a start: ${log.storageError}`);
    const seen: string[] = [];
    for (const { name, answered, asked, state } of this.#topics.values()) {
      const topic = log.topic(name);
      if (!topic && state === 'there') throw new Error(`topic ${name} is lost`);
      if (!topic) continue;
      if (state === 'deleted') throw new Error(`topic ${name} came back`);
      const { length } = topic.partitions;
      if (length < answered || length > asked)
        throw new Error(`${name} has ${length} partitions, want ${answered}`);
      for (const partition of topic.partitions) seen.push(await this.#checkPartition(partition));
    }
    return seen.join('\n');
  }

  /** What was durable is a repeat, what was not is new: asked of a log that nobody looks at any more. */
  async checkProducers(log: DiskLog): Promise<void> {
    for (const { partitions } of log.topics()) {
      for (const partition of partitions) {
        const byProducer = new Map<number, Sent[]>();
        for (const sent of this.#of(partition).sent) {
          if (
            partition
              .activeProducers()
              .some((one) => one.producerId === sent.producerId && one.transactionStartOffset >= 0)
          )
            continue;
          byProducer.set(sent.producerId, [...(byProducer.get(sent.producerId) ?? []), sent]);
        }
        for (const sents of byProducer.values()) await checkRepeats(log, partition, sents);
      }
    }
  }

  async #checkPartition(partition: PartitionLog): Promise<string> {
    const promises = this.#of(partition);
    const { startOffset, highWatermark } = partition;
    const where = `${partition.topic}-${partition.partition}`;
    if (startOffset < promises.deletedTo)
      throw new Error(`${where} starts at ${startOffset}, deleted to ${promises.deletedTo}`);
    if (!promises.mayExpire && startOffset > promises.askedTo)
      throw new Error(`${where} starts at ${startOffset}, want ${promises.askedTo}`);
    if (startOffset > promises.heldFrom)
      throw new Error(`${where} starts at ${startOffset}, held from ${promises.heldFrom}`);
    const seen =
      promises.keyed.size > 0
        ? await checkKeyed(where, partition, promises.keyed)
        : await checkWritten(where, partition, promises);
    const stable = await checkTransactions(where, partition, promises);
    const producers = partition
      .activeProducers()
      .map(
        (one) => `${one.producerId} ${one.producerEpoch} ${one.lastSequence} ${one.transactionStartOffset}`,
      );
    return `${where} ${startOffset}-${highWatermark} ${stable}\n${seen}\n${producers.toSorted().join()}`;
  }

  #of(partition: PartitionLog): PartitionPromises {
    const place = placeOf(partition);
    let promises = this.#partitions.get(place);
    if (!promises) {
      promises = {
        sent: [],
        keyed: new Map(),
        durable: new Map(),
        written: new Map(),
        deletedTo: 0,
        askedTo: 0,
        mayExpire: false,
        heldFrom: Number.POSITIVE_INFINITY,
      };
      this.#partitions.set(place, promises);
    }
    return promises;
  }
}

/** Names are used once in these workloads, so that they stand for the topic. */
function placeOf({ topic, partition }: PartitionLog): string {
  return `${topic}-${partition}`;
}

function batchOf(
  producerId: number,
  baseSequence: number,
  values: readonly string[],
  nowMs: number,
  transactional: boolean,
): Buffer {
  return recordBatch({
    values,
    producerId,
    producerEpoch: 0,
    baseSequence,
    baseTimestamp: nowMs,
    attributes: transactional ? 0x10 : 0,
  });
}

/** Every batch from start to end is what was written there, without a gap; all that was acknowledged is among them. */
async function checkWritten(
  where: string,
  partition: PartitionLog,
  promises: PartitionPromises,
): Promise<string> {
  const { startOffset, highWatermark } = partition;
  let next = startOffset;
  const seen: string[] = [];
  while (next < highWatermark) {
    const bytes = await partition.read(next, 500, true);
    if (bytes.length === 0) throw new Error(`${where} has nothing at ${next} below ${highWatermark}`);
    let at = 0;
    for (const { baseOffset, values } of readBatches(bytes)) {
      const batch = bytes.subarray(at, (at += 12 + bytes.readInt32BE(at + 8)));
      const is = markerIn(batch) ?? values.join();
      if (promises.written.get(baseOffset) !== is) {
        throw new Error(`${where} at ${baseOffset}: wrote ${promises.written.get(baseOffset)}, got ${is}`);
      }
      if (baseOffset > next) throw new Error(`${where} has a gap from ${next} to ${baseOffset}`);
      next = baseOffset + batch.readInt32BE(23) + 1;
      seen.push(`${baseOffset} ${is.replaceAll(/:x+/g, '')}`);
    }
  }
  for (const { baseOffset, values, isAcknowledged } of promises.sent) {
    if (isAcknowledged && baseOffset + values.length > Math.max(highWatermark, startOffset)) {
      throw new Error(`${where}: ${baseOffset} was acknowledged, the log ends at ${highWatermark}`);
    }
  }
  return seen.join(' ');
}

/** Of every key the latest that was acknowledged is there, or a later one, or it was a tombstone. */
async function checkKeyed(
  where: string,
  partition: PartitionLog,
  keyed: ReadonlyMap<number, KeyedRecord>,
): Promise<string> {
  const latest = new Map<string, { offset: number; value: string | null }>();
  const seen: string[] = [];
  for (let next = partition.startOffset; next < partition.highWatermark;) {
    const bytes = await partition.read(next, 500, true);
    if (bytes.length === 0) throw new Error(`${where} has nothing at ${next}`);
    for (const batch of batchesOf(bytes)) {
      for (const { offset, key, value } of recordsOf(batch)) {
        const is = { key: key!.toString(), value: value?.toString() ?? null };
        const was = keyed.get(offset);
        if (was?.key !== is.key || was.value !== is.value)
          throw new Error(`${where} at ${offset}: got ${is.key}=${is.value}`);
        latest.set(is.key, { offset, value: is.value });
        seen.push(`${offset} ${is.key}=${is.value}`);
      }
      next = Math.max(next + 1, Number(batch.readBigInt64BE(0)) + batch.readInt32BE(23) + 1);
    }
  }
  for (const [offset, { key, value, isAcknowledged }] of keyed) {
    const found = latest.get(key);
    if (
      isAcknowledged &&
      (found
        ? found.offset < offset && latestOf(keyed, key) === offset
        : value !== null && latestOf(keyed, key) === offset)
    ) {
      throw new Error(`${where}: ${key} was last written at ${offset}, found ${JSON.stringify(found)}`);
    }
  }
  return seen.join(' ');
}

function latestOf(keyed: ReadonlyMap<number, KeyedRecord>, key: string): number {
  let latest = -1;
  for (const [offset, record] of keyed)
    if (record.key === key && record.isAcknowledged) latest = Math.max(latest, offset);
  return latest;
}

/** Last stable offset and aborted transactions are what the batches themselves say. */
async function checkTransactions(
  where: string,
  partition: PartitionLog,
  promises: PartitionPromises,
): Promise<string> {
  const { startOffset, highWatermark, lastStableOffset } = partition;
  const history = new TransactionHistory();
  for (const [offset, batch] of promises.durable) history.add(offset, batch);
  for (let next = startOffset; next < highWatermark && promises.keyed.size === 0;) {
    const bytes = await partition.read(next, 500, true);
    for (let at = 0; at < bytes.length;) {
      const batch = bytes.subarray(at, at + 12 + bytes.readInt32BE(at + 8));
      history.add(Number(batch.readBigInt64BE(0)), batch);
      next = Number(batch.readBigInt64BE(0)) + batch.readInt32BE(23) + 1;
      at += batch.length;
    }
  }
  const { open, aborted } = history.read();
  const want = Math.max(startOffset, Math.min(highWatermark, ...open.values()));
  if (lastStableOffset !== want) throw new Error(`${where} is stable to ${lastStableOffset}, want ${want}`);
  const told = (await partition.abortedTransactions(startOffset, highWatermark)).map(abortText).join();
  const wanted = aborted
    .filter((one) => one.lastOffset >= startOffset && one.firstOffset < highWatermark)
    .map(abortText)
    .join();
  if (told !== wanted) throw new Error(`${where} has aborted ${told}, want ${wanted}`);
  return `stable ${lastStableOffset}, aborted ${told}`;
}

function abortText({
  producerId,
  firstOffset,
  lastOffset,
}: {
  producerId: number;
  firstOffset: number;
  lastOffset: number;
}): string {
  return `${producerId} ${firstOffset}-${lastOffset}`;
}

/** As many as a producer may repeat. */
const REPEATS = 5;

async function checkRepeats(log: DiskLog, partition: PartitionLog, sents: readonly Sent[]): Promise<void> {
  const end = partition.highWatermark;
  const durable = sents.filter(({ baseOffset, values }) => baseOffset + values.length <= end);
  const options = { nowMs: log.host.clock.nowMs() + SECOND_MS, origin: 'client' as const };
  const where = `${partition.topic}-${partition.partition}`;
  for (const { producerId, sequence, values, baseOffset } of durable.slice(-REPEATS)) {
    const again = partition.append(batchOf(producerId, sequence, values, options.nowMs, false), options);
    if (!again.duplicate || again.baseOffset !== baseOffset) {
      throw new Error(`${where}: the repeat of ${baseOffset} was taken as ${again.baseOffset}`);
    }
  }
  const next = sents[durable.length];
  if (!next) return;
  const taken = partition.append(
    batchOf(next.producerId, next.sequence, next.values, options.nowMs, false),
    options,
  );
  if (taken.duplicate)
    throw new Error(`${where}: what was never durable is called a repeat of ${taken.baseOffset}`);
  await taken.durable;
}
