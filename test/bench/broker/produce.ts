import { mib } from '../process-usage.ts';
import { median } from '../statistics.ts';
import type { Done, Latency, Order, Run } from './cell.ts';
import { type Metered, mibPerSecond, type Side } from './side.ts';

/** A client whose percentiles are of fewer records than this knows nothing of the rare ones. */
const RECORDS_MIN = 100;

const FIRST_LOOK = 8;

/**
 * With more partitions, all runs of a side go into the same topic: Kafka makes and removes the files of a thousand
 * partitions while others already write, and would be measured at that.
 */
const FRESH_PARTITIONS_MAX = 100;

/** As fast as it goes, then steadily at half of what the slower side can: every run into a topic of its own. */
export async function measureProduce(run: Run): Promise<void> {
  const rates = await measureProduceRates(run);
  const slower = Math.min(...run.sides.map((side) => median(rates.get(side)!)));
  const recordsPerSecond = Math.max(1, Math.floor(slower / 2));
  const records = Math.max(RECORDS_MIN, Math.round(recordsPerSecond * run.seconds));
  await run.alternate('at half the rate', async (side, pair) => {
    const order = { ...orderOf(run, `half-${pair}`, records), recordsPerSecond };
    const { latency } = (await produceFresh(run, side, order)).result;
    if (!latency) throw new Error('the client tells no latencies');
    run.note(side, 'produce p50', latency.p50);
    run.note(side, 'produce p99', latency.p99);
    run.note(side, 'produce p99.9', latency.p999);
  });
}

/** As fast as it goes; records per second of each run. */
export async function measureProduceRates(run: Run): Promise<Map<Side, number[]>> {
  const rates = new Map<Side, number[]>();
  const expected = new Map<Side, number>();
  const warmUp = async (side: Side, topic: string, recordsPerSecond: number): Promise<void> => {
    const records = Math.max(RECORDS_MIN, Math.ceil(recordsPerSecond * run.seconds));
    const { seconds } = (await produceFresh(run, side, orderOf(run, topic, records))).result;
    expected.set(side, records / seconds);
  };
  // A short one, since the guess may be far off; then one of the length of those that count.
  await run.prepare('first look', (side) => warmUp(side, 'first', run.cell.recordsPerSecond / FIRST_LOOK));
  await run.prepare('warms up', (side) => warmUp(side, 'warm', expected.get(side)!));
  await run.alternate('as fast as it goes', async (side, pair) => {
    const records = Math.max(RECORDS_MIN, Math.round(expected.get(side)! * run.seconds));
    const order = orderOf(run, `full-${pair}`, records);
    const metered = await produceFresh(run, side, order);
    const { seconds } = metered.result;
    expected.set(side, records / seconds);
    rates.set(side, [...(rates.get(side) ?? []), records / seconds]);
    run.note(side, 'produce', mibPerSecond(records, order.recordBytes, seconds));
    run.note(side, 'produce records', records / seconds);
    run.note(side, 'produce CPU', (metered.cpuSeconds * 1_000) / mib(records * order.recordBytes));
    noteProcess(run, side, metered);
  });
  return rates;
}

export function noteProcess(run: Run, side: Side, { peakMib, turns }: Metered<unknown>): void {
  run.note(side, 'peak memory', peakMib);
  if (!turns) return;
  run.note(side, 'event loop p99.9', turns.turns.p999 * 1_000);
  run.note(side, 'event loop max', turns.turns.max * 1_000);
  run.note(side, 'event loop p99.9 on processor', turns.turnsOnProcessor.p999 * 1_000);
}

export function orderOf({ cell }: Run, topic: string, records: number): Order {
  const { partitions, recordBytes, acks } = cell;
  return { topic: `${cell.name}-${topic}`, partitions, recordBytes, acks, records };
}

type Sent = Done & { readonly latency?: Latency };

async function produceFresh(run: Run, side: Side, order: Order): Promise<Metered<Sent>> {
  if (order.partitions > FRESH_PARTITIONS_MAX) {
    return await produceMore(run, side, { ...order, topic: `${run.cell.name}-all` });
  }
  const measured = await produceInto(run, side, order);
  await side.deleteTopic(order.topic);
  return measured;
}

/** Into a new topic. */
export async function produceInto(run: Run, side: Side, order: Order): Promise<Metered<Sent>> {
  const settings = side.name === 'kafka' ? run.cell.kafkaTopic : {};
  await side.createTopic(order.topic, order.partitions, settings);
  return await produceCounted(run, side, order, 0);
}

/** Into a topic that others have produced into, or a new one. */
async function produceMore(run: Run, side: Side, order: Order): Promise<Metered<Sent>> {
  if (!side.topics.has(order.topic)) return await produceInto(run, side, order);
  return await produceCounted(run, side, order, await side.recordsIn(order.topic, order.partitions));
}

/** The topic has, then, what the client says it has sent, or nothing of it counts. */
async function produceCounted(
  { client }: Run,
  side: Side,
  order: Order,
  before: number,
): Promise<Metered<Sent>> {
  side.settle();
  const metered = await side.metered((): Promise<Sent> => client.produce(side, order));
  const there = (await side.recordsIn(order.topic, order.partitions)) - before;
  const sent = metered.result.records;
  if (sent !== order.records || there !== order.records) {
    throw new Error(`cannot count the run: ${sent} records sent, ${there} there, want ${order.records}`);
  }
  return metered;
}
