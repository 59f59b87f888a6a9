import type { Latency, Run } from './cell.ts';
import type { JavaClient } from './java-client.ts';
import { orderOf } from './produce.ts';
import type { Side } from './side.ts';
import { warmUp } from './warm-up.ts';

/** Round trips of the first look, which tells how many fit into the time. */
const FIRST_RECORDS = 300;
const RECORDS_MAX = 100_000;

/** One record after the other, each sent when the one before it was read: what an idle broker needs for one. */
export async function measureEndToEnd(run: Run, client: JavaClient): Promise<void> {
  const { recordBytes, acks, partitions } = run.cell;
  const fits = new Map<Side, number>();
  const thereAndBack = async (side: Side, name: string): Promise<Latency & { readonly mean: number }> => {
    const { topic } = orderOf(run, name, 0);
    const records = Math.round(fits.get(side) ?? FIRST_RECORDS);
    await side.createTopic(topic, partitions);
    side.settle();
    const latency = await client.endToEnd(side, topic, { records, recordBytes, acks });
    await side.deleteTopic(topic);
    fits.set(side, Math.min(RECORDS_MAX, Math.max(FIRST_RECORDS, (run.seconds * 1_000) / latency.mean)));
    return latency;
  };
  await run.prepare('first look', async (side) => {
    await thereAndBack(side, 'first');
  });
  await warmUp(run, 'end to end warm-ups', async (side, count) => {
    return 1_000 / (await thereAndBack(side, `warm-${count}`)).mean;
  });
  await run.alternate('there and back', async (side, pair) => {
    const { mean, p50, p99, p999 } = await thereAndBack(side, `${pair}`);
    run.note(side, 'end to end mean', mean);
    run.note(side, 'end to end p50', p50);
    run.note(side, 'end to end p99', p99);
    run.note(side, 'end to end p99.9', p999);
  });
}
