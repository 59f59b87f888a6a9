import type { PartitionLog, Topic } from '../../broker/log/log.ts';
import { readBatches } from '../support/record-batch.ts';

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
}

/** Checks the log against what it promised. Throws with the first broken promise. */
export class LogModel {
  readonly partitions = new Map<string, PartitionModel>();
  /** Name to id, of topics whose creation was acknowledged and whose deletion was not asked for. */
  readonly topics = new Map<string, string>();
  readonly deleted = new Set<string>();

  of(partition: PartitionLog, topicId: string): PartitionModel {
    const key = `${topicId}/${partition.partition}`;
    let model = this.partitions.get(key);
    if (!model) {
      model = { acknowledged: new Map(), seen: new Map(), startMax: 0, startMin: 0 };
      this.partitions.set(key, model);
    }
    model.startMax = Math.max(model.startMax, partition.startOffset);
    return model;
  }

  /** Compares one read with everything known. */
  sawBytes(partition: PartitionLog, topicId: string, bytes: Buffer): number {
    const model = this.of(partition, topicId);
    let next = -1;
    for (const { baseOffset, values } of readBatches(bytes)) {
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

  /** Reads everything and checks that nothing acknowledged is lost, doubled or out of order. */
  async verify(topics: readonly Topic[]): Promise<string> {
    for (const [name, id] of this.topics) {
      if (topics.find((topic) => topic.name === name)?.id !== id) throw new Error(`topic ${name} is lost`);
    }
    const dump: string[] = [];
    for (const topic of topics) {
      if (this.deleted.has(topic.id)) throw new Error(`topic ${topic.name} came back`);
      for (const partition of topic.partitions) dump.push(await this.#verifyPartition(topic, partition));
    }
    return dump.join('\n');
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
      for (const { baseOffset, values } of readBatches(bytes)) {
        if (baseOffset > offset) throw new Error(`${where} has a gap from ${offset} to ${baseOffset}`);
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
    return `${where} ${startOffset}-${highWatermark}: ${found.join(' ')}`;
  }
}

/** Values are `<producer>:<number>`; the numbers of one producer rise by one. */
function checkOrder(where: string, values: readonly string[]): void {
  const last = new Map<string, number>();
  for (const value of values) {
    const [producer = '', number = ''] = value.split(':');
    const before = last.get(producer);
    if (before !== undefined && Number(number) !== before + 1) {
      throw new Error(`${where}: ${producer} goes from ${before} to ${number}`);
    }
    last.set(producer, Number(number));
  }
}
