import { mib } from '../process-usage.ts';
import type { Done, Run } from './cell.ts';
import { measureProduceRates, noteProcess, orderOf, produceInto } from './produce.ts';
import { mibPerSecond, type Side } from './side.ts';

/** Reads the same topic again and again, from its start to its end, through the page cache. */
export async function measureConsume(run: Run): Promise<void> {
  const records = Math.ceil(run.cell.recordsPerSecond * run.seconds);
  const order = orderOf(run, 'read', records);
  await run.prepare('fills the topic', async (side) => {
    await produceInto(run, side, order);
  });
  await run.prepare('warms up', async (side) => {
    await run.client.consume(side, order);
  });
  await readAlternating(run, (side) => consumeAll(run, side, order));
}

/** Produce, then read what was produced: for clients that are looked at in one cell. */
export async function measureBoth(run: Run): Promise<void> {
  await measureProduceRates(run);
  const records = Math.ceil(run.cell.recordsPerSecond * run.seconds);
  const order = orderOf(run, 'read', records);
  await run.prepare('fills the topic', async (side) => {
    await produceInto(run, side, order);
  });
  await readAlternating(run, (side) => consumeAll(run, side, order));
}

async function readAlternating(run: Run, read: (side: Side) => Promise<void>): Promise<void> {
  await run.alternate('reads', async (side) => {
    side.settle();
    await read(side);
  });
}

async function consumeAll(run: Run, side: Side, order: ReturnType<typeof orderOf>): Promise<void> {
  const metered = await side.metered((): Promise<Done> => run.client.consume(side, order));
  const { result } = metered;
  if (result.records !== order.records) {
    throw new Error(`cannot count the run: ${result.records} records read, want ${order.records}`);
  }
  run.note(side, 'consume', mibPerSecond(order.records, order.recordBytes, result.seconds));
  run.note(side, 'consume records', order.records / result.seconds);
  run.note(side, 'consume CPU', (metered.cpuSeconds * 1_000) / mib(order.records * order.recordBytes));
  noteProcess(run, side, metered);
}
