import type { Run } from './cell.ts';
import type { JavaClient } from './java-client.ts';
import { orderOf } from './produce.ts';

/** Round trips of the first look, which tells how many fit into the time. */
const FIRST_RECORDS = 300;
const RECORDS_MAX = 100_000;

/** One record after the other, each sent when the one before it was read: what an idle broker needs for one. */
export async function measureEndToEnd(run: Run, client: JavaClient): Promise<void> {
  const { recordBytes, acks, partitions } = run.cell;
  const fits = new Map<string, number>();
  await run.prepare('warms up', async (side) => {
    const { topic } = orderOf(run, 'warm', FIRST_RECORDS);
    await side.createTopic(topic, partitions);
    const { mean } = await client.endToEnd(side, topic, { records: FIRST_RECORDS, recordBytes, acks });
    fits.set(side.name, Math.min(RECORDS_MAX, Math.max(FIRST_RECORDS, (run.seconds * 1_000) / mean)));
  });
  await run.alternate('there and back', async (side, pair) => {
    const { topic } = orderOf(run, `${pair}`, 0);
    const records = Math.round(fits.get(side.name)!);
    await side.createTopic(topic, partitions);
    side.settle();
    const { mean, p50, p99, p999 } = await client.endToEnd(side, topic, { records, recordBytes, acks });
    run.note(side, 'end to end mean', mean);
    run.note(side, 'end to end p50', p50);
    run.note(side, 'end to end p99', p99);
    run.note(side, 'end to end p99.9', p999);
    await side.deleteTopic(topic);
  });
}
