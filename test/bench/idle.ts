import { fetch, metadata } from '../../broker/wire/schemas/index.ts';
import type { Bench } from './bench.ts';
import { startBroker } from './broker-process.ts';
import { cpuSeconds, residentMib } from './process-usage.ts';

const CONSUMERS = 1_000;
const PARTITIONS = 1_000;
/** What clients wait for at the end of a partition, by default. */
const MAX_WAIT_MS = 500;
/** Connections that are opened at once; more would be counted as a flood. */
const OPENED_TOGETHER = 50;

/** What a broker costs that has nothing to do: each consumer waits at the end of a partition of its own. */
export const bench: Bench = {
  name: 'idle',
  about: `${CONSUMERS} consumers that wait, on ${PARTITIONS} partitions`,
  async run({ seconds, workplace, say, report }) {
    const broker = await startBroker(workplace);
    say(`${PARTITIONS} partitions`);
    await broker.createTopic('idle', PARTITIONS);
    const withPartitionsMib = residentMib(broker.pid);
    const alone = await idleCpu(broker.pid, seconds);
    say(`${CONSUMERS} consumers`);
    const connections: Array<Awaited<ReturnType<typeof broker.connect>>> = [];
    while (connections.length < CONSUMERS) {
      connections.push(
        ...(await Promise.all(Array.from({ length: OPENED_TOGETHER }, () => broker.connect()))),
      );
    }
    const { topics: known } = await connections[0]!.request(metadata, { topics: [{ name: 'idle' }] });
    const { topicId } = known[0]!;
    let isOver = false;
    const polls = connections.map(async (connection, n) => {
      const partitions = [{ partition: n % PARTITIONS, fetchOffset: 0, partitionMaxBytes: 1_048_576 }];
      const topics = [{ topic: 'idle', topicId, partitions }];
      const request = { maxWaitMs: MAX_WAIT_MS, minBytes: 1, topics };
      while (!isOver) await connection.request(fetch, request);
    });
    await new Promise((resolve) => void setTimeout(resolve, 2_000));
    const polled = await idleCpu(broker.pid, seconds);
    const allMib = residentMib(broker.pid);
    isOver = true;
    await Promise.all(polls);
    const note = `${CONSUMERS} consumers that ask every ${MAX_WAIT_MS} ms, without groups, ${PARTITIONS} partitions`;
    report({ what: 'processor, no consumers', value: alone, unit: '% of one' });
    report({ what: 'processor', value: polled, unit: '% of one', note });
    report({ what: 'memory, no consumers', value: withPartitionsMib, unit: 'MiB' });
    report({ what: 'memory', value: allMib, unit: 'MiB' });
    report({
      what: 'memory a consumer',
      value: ((allMib - withPartitionsMib) / CONSUMERS) * 1_024,
      unit: 'KiB',
    });
  },
};

async function idleCpu(pid: number, seconds: number): Promise<number> {
  const before = cpuSeconds(pid);
  const startMs = performance.now();
  await new Promise((resolve) => void setTimeout(resolve, seconds * 1_000));
  return ((cpuSeconds(pid) - before) / ((performance.now() - startMs) / 1_000)) * 100;
}
