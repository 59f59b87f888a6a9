/** Readers at the end of one topic, first alone, then beside a consumer that reads another one from its cold start. */
import { spawnSync } from 'node:child_process';

import { Connection } from '../../../broker/client/connection.ts';
import { nodeHost } from '../../../broker/host/node-host.ts';
import { filesUnder } from '../files-under.ts';
import { Ledger } from '../ledger.ts';
import { produceSteadily, TailReader } from '../paced-load.ts';
import { percentile } from '../statistics.ts';
import type { Order, Run } from './cell.ts';
import { readAll } from './consume.ts';
import { noteProcess, orderOf, produceInto } from './produce.ts';
import { mibPerSecond, type Side } from './side.ts';
import { warmUp } from './warm-up.ts';

/** One record each: what a log line needs that somebody watches. */
const REQUESTS_PER_SECOND = 500;
const TAIL_RECORD_BYTES = 1024;
const READERS = 3;
const DRAIN_MS = 10_000;

export async function measureCatchUp(run: Run): Promise<void> {
  const cold = orderOf(run, 'cold', Math.ceil(run.cell.recordsPerSecond * run.seconds));
  await run.prepare('fills the topic', async (side) => {
    await produceInto(run, side, cold);
  });
  await warmUp(run, 'consume warm-ups', async (side) => {
    const { result } = await readAll(run, side, cold);
    return cold.records / result.seconds;
  });
  await run.prepare('warms up', async (side) => {
    await tail(run, side, 'warm', () => sleep(run.seconds * 1_000));
  });
  await run.alternate('tails', async (side, pair) => {
    side.settle();
    const alone = await tail(run, side, `tail-${pair}`, () => sleep(run.seconds * 1_000));
    run.note(side, 'tail p50', percentile(alone, 0.5));
    run.note(side, 'tail p99', percentile(alone, 0.99));
    dropPages(side.directory);
    const beside = await tail(run, side, `beside-${pair}`, () => catchUp(run, side, cold));
    run.note(side, 'tail p50 beside catch-up', percentile(beside, 0.5));
    run.note(side, 'tail p99 beside catch-up', percentile(beside, 0.99));
  });
}

async function catchUp(run: Run, side: Side, cold: Order): Promise<void> {
  const measured = await readAll(run, side, cold);
  run.note(side, 'catch-up', mibPerSecond(cold.records, cold.recordBytes, measured.result.seconds));
  noteProcess(run, side, measured);
}

/** A steady trickle into a new topic and its readers, for as long as `work` takes: ms from due to read. */
async function tail(run: Run, side: Side, name: string, work: () => Promise<void>): Promise<number[]> {
  const { topic } = orderOf(run, name, 0);
  const { partitions } = run.cell;
  await side.createTopic(topic, partitions);
  const host = nodeHost();
  const open = (): Promise<Connection> =>
    Connection.open(host, { host: 'localhost', port: side.port }, 'tail');
  const connections = await Promise.all(Array.from({ length: READERS + 1 }, open));
  const [sender, ...receivers] = connections as [Connection, ...Connection[]];
  const ledger = new Ledger(partitions);
  try {
    const all = Array.from({ length: partitions }, (_, partition) => partition);
    const readers = receivers.map(
      (one, n) =>
        new TailReader(
          one,
          topic,
          all.filter((partition) => partition % READERS === n),
          ledger,
        ),
    );
    const plans = all.map((partition) => ({
      topic,
      partitions: [partition],
      recordsPerBatch: 1,
      recordBytes: TAIL_RECORD_BYTES,
    }));
    let running = true;
    const sending = produceSteadily([sender], plans, REQUESTS_PER_SECOND, ledger, () => running);
    await work().finally(() => (running = false));
    await sending;
    const deadline = performance.now() + DRAIN_MS;
    while (ledger.read < ledger.sent && performance.now() < deadline) await sleep(5);
    // They hear of it with their next answer.
    const stopped = Promise.all(readers.map((reader) => reader.stop()));
    await stopped;
    if (ledger.read !== ledger.sent || ledger.unmatched > 0) {
      throw new Error(`cannot count the run: ${ledger.sent} records sent, ${ledger.read} read`);
    }
    return ledger.takeLatencies();
  } finally {
    for (const one of connections) one.close();
    await side.deleteTopic(topic);
  }
}

/** What is clean and in the page cache of these files is forgotten; the next read comes from the disk. */
function dropPages(directory: string): void {
  spawnSync('sync', ['-f', directory]);
  for (const path of filesUnder(directory)) {
    spawnSync('dd', [`if=${path}`, 'iflag=nocache', 'count=0', 'status=none']);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}
