import { mib } from '../process-usage.ts';
import type { Done, Order, Run } from './cell.ts';
import { metered, type Metered } from './metered.ts';
import { measureProduceRates, noteProcess, orderOf, produceInto } from './produce.ts';
import { mibPerSecond, type Side } from './side.ts';
import { warmUp } from './warm-up.ts';

/** Produce, then read what was produced: for clients that are looked at in one cell. */
export async function measureBoth(run: Run): Promise<void> {
  await measureProduceRates(run);
  await measureConsume(run);
}

/** Reads the same topic again and again, from its start to its end, through the page cache. */
export async function measureConsume(run: Run): Promise<void> {
  const { recordsPerSecond, readPerSecond = recordsPerSecond } = run.cell;
  const records = Math.ceil(readPerSecond * run.seconds);
  const order = orderOf(run, 'read', records);
  await run.prepare('fills the topic', async (side) => {
    await produceInto(run, side, order);
  });
  await warmUp(run, 'consume warm-ups', async (side) => {
    const { result } = await readAll(run, side, order);
    return records / result.seconds;
  });
  await run.alternate('reads', async (side) => {
    side.settle();
    const measured = await readAll(run, side, order);
    const { seconds } = measured.result;
    const perMib = 1_000 / mib(records * order.recordBytes);
    run.note(side, 'consume', mibPerSecond(records, order.recordBytes, seconds));
    run.note(side, 'consume records', records / seconds);
    run.note(side, 'consume CPU', measured.cpuSeconds * perMib);
    run.note(side, 'consume client CPU', measured.clientSeconds * perMib);
    run.note(side, 'consume idle', measured.idle * 100);
    noteProcess(run, side, measured);
  });
}

/** @throws when it was not all of them */
export async function readAll(run: Run, side: Side, order: Order): Promise<Metered<Done>> {
  const measured = await metered(side, run.client, (): Promise<Done> => run.client.consume(side, order));
  const { records } = measured.result;
  if (records !== order.records) {
    throw new Error(`cannot count the run: ${records} records read, want ${order.records}`);
  }
  return measured;
}
