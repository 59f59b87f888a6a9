import { mib } from '../process-usage.ts';
import { median } from '../statistics.ts';
import type { Done, Latency, Order, Run } from './cell.ts';
import { metered, type Metered } from './metered.ts';
import { mibPerSecond, type Side } from './side.ts';
import { warmUp } from './warm-up.ts';

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
    const { result, idle } = await produceFresh(run, side, order);
    const { latency } = result;
    if (!latency) throw new Error('the client tells no latencies');
    run.note(side, 'produce p50', latency.p50);
    run.note(side, 'produce p99', latency.p99);
    run.note(side, 'produce p99.9', latency.p999);
    run.note(side, 'idle at half the rate', idle * 100);
  });
}

/** As fast as it goes; records per second of each run. */
export async function measureProduceRates(run: Run): Promise<Map<Side, number[]>> {
  const rates = new Map<Side, number[]>();
  const expected = new Map<Side, number>();
  const tryOut = async (side: Side, topic: string, recordsPerSecond: number): Promise<number> => {
    const records = Math.max(RECORDS_MIN, Math.ceil(recordsPerSecond * run.seconds));
    const { seconds } = (await produceFresh(run, side, orderOf(run, topic, records))).result;
    expected.set(side, records / seconds);
    return records / seconds;
  };
  // A short one, since the guess may be far off; then some of the length of those that count.
  await run.prepare('first look', async (side) => {
    await tryOut(side, 'first', run.cell.recordsPerSecond / FIRST_LOOK);
  });
  await warmUp(run, 'produce warm-ups', (side, count) => tryOut(side, `warm-${count}`, expected.get(side)!));
  await run.alternate('as fast as it goes', async (side, pair) => {
    const records = Math.max(RECORDS_MIN, Math.round(expected.get(side)! * run.seconds));
    const order = orderOf(run, `full-${pair}`, records);
    const measured = await produceFresh(run, side, order);
    const { seconds } = measured.result;
    expected.set(side, records / seconds);
    rates.set(side, [...(rates.get(side) ?? []), records / seconds]);
    run.note(side, 'produce', mibPerSecond(records, order.recordBytes, seconds));
    run.note(side, 'produce records', records / seconds);
    const perMib = 1_000 / mib(records * order.recordBytes);
    run.note(side, 'produce CPU', measured.cpuSeconds * perMib);
    run.note(side, 'produce client CPU', measured.clientSeconds * perMib);
    run.note(side, 'produce idle', measured.idle * 100);
    noteProcess(run, side, measured);
  });
  return rates;
}

export function noteProcess(run: Run, side: Side, { peakMib, turns }: Metered<Done>): void {
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
  const measured = await metered(side, client, (): Promise<Sent> => client.produce(side, order));
  const there = (await side.recordsIn(order.topic, order.partitions)) - before;
  const sent = measured.result.records;
  if (sent !== order.records || there !== order.records) {
    throw new Error(`cannot count the run: ${sent} records sent, ${there} there, want ${order.records}`);
  }
  return measured;
}
