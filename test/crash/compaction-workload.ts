import type { DiskLog } from '../../broker/log/disk-log.ts';
import { openDiskLog } from '../../broker/log/open-log.ts';
import type { Partition } from '../../broker/log/partition/partition.ts';
import { batchesOf, encodeBatch, recordsOf } from '../../broker/state/record-batch.ts';
import { type SimHost, SimMachine } from '../sim/sim-host.ts';
import type { PlantedBug } from './planted-bugs.ts';

export const CONFIG = {
  dataDir: '/data/log',
  segmentBytes: 1_200,
  walFileBytes: 3_000,
  tailBytesMax: 0,
  retentionCheckMs: 1_000,
  cleanerCheckMs: 40,
  probeMs: 5,
  reserveBytes: 0,
};
const TOPIC = {
  'cleanup.policy': 'compact',
  'min.cleanable.dirty.ratio': '0.1',
  'delete.retention.ms': '200',
};
const KEYS = 6;

interface Written {
  readonly key: string;
  readonly value: string | null;
  readonly acknowledged: boolean;
}

/** By offset, over all lives: an offset that was not acknowledged may be given out again. */
export type Known = Map<number, Written>;

/** Throws on the first broken promise; returns the fingerprint of all that was asked of the disk. */
export async function runCompaction(
  seed: number,
  plant: PlantedBug['plant'] = (host) => host,
): Promise<string> {
  const machine = new SimMachine(seed);
  const known: Known = new Map();
  for (let life = 0; life < 5; life += 1) {
    const host = machine.boot();
    if (life > 0) host.files.cutAt = 1 + machine.random.below(250);
    const cut = new Promise<void>((resolve) => {
      host.files.onCut = resolve;
    });
    await machine.loop.settle(Promise.race([live(machine, plant(host), known), cut]));
    if (host.files.off) continue;
    if (machine.random.chance(0.5)) host.files.kill();
    else host.files.cut();
  }
  const log = await machine.loop.settle(openDiskLog(CONFIG, plant(machine.boot())));
  await machine.loop.settle(check(log.topic('t')!.partitions[0] as Partition, known));
  return machine.disk.trace.hash;
}

async function live(machine: SimMachine, host: SimHost, known: Known): Promise<void> {
  const log = await openDiskLog(CONFIG, host);
  const partition = (log.topic('t')?.partitions[0] as Partition | undefined) ?? (await made(log));
  await check(partition, known);
  for (let i = 0; i < 80; i += 1) {
    await write(machine, partition, known);
    if (machine.random.chance(0.1)) await log.checkpoint();
    if (machine.random.chance(0.1)) await log.compact();
    if (machine.random.chance(0.1)) await check(partition, known);
    await host.timers.sleep(machine.random.unit() * 10);
  }
  await check(partition, known);
}

export async function made(log: DiskLog): Promise<Partition> {
  const topic = await log.createTopic({ name: 't', partitions: 1, configs: TOPIC });
  return topic.partitions[0] as Partition;
}

/** One batch of one to four records, some of them tombstones. */
export async function write({ random, loop }: SimMachine, partition: Partition, known: Known): Promise<void> {
  const records = Array.from({ length: 1 + random.below(4) }, () => ({
    key: `k${random.below(KEYS)}`,
    value: random.chance(0.15) ? null : `${random.below(1_000_000)}`.padStart(20, '.'),
  }));
  const nowMs = loop.clock().nowMs();
  const batch = encodeBatch(
    records.map(({ key, value }) => ({
      key: Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
    })),
    nowMs,
  );
  const { baseOffset, durable } = partition.append(batch, { nowMs, origin: 'coordinator' });
  for (const [i, record] of records.entries()) {
    known.set(baseOffset + i, { ...record, acknowledged: false });
  }
  await durable;
  for (const [i, record] of records.entries()) known.set(baseOffset + i, { ...record, acknowledged: true });
}

/** What is read was written there; of every key the latest acknowledged is there, or was a tombstone. */
export async function check(partition: Partition, known: Known): Promise<void> {
  const latest = new Map<string, { offset: number; value: string | null }>();
  const acknowledged = new Map<string, number>();
  let end = 0;
  for (const [offset, { key, acknowledged: isSafe }] of [...known].sort(([a], [b]) => a - b)) {
    if (!isSafe) continue;
    acknowledged.set(key, offset);
    end = offset + 1;
  }
  if (partition.highWatermark < end)
    throw new Error(`ends at ${partition.highWatermark}, acknowledged ${end}`);
  let offset = partition.startOffset;
  while (offset < partition.highWatermark) {
    const bytes = await partition.read(offset, 500, true);
    if (bytes.length === 0) throw new Error(`nothing at ${offset} below ${partition.highWatermark}`);
    for (const batch of batchesOf(bytes)) {
      for (const record of recordsOf(batch)) {
        const key = record.key!.toString();
        const value = record.value?.toString() ?? null;
        const written = known.get(record.offset);
        if (written?.key !== key || written.value !== value) {
          throw new Error(`at ${record.offset}: wrote ${JSON.stringify(written)}, read ${key}=${value}`);
        }
        latest.set(key, { offset: record.offset, value });
      }
      offset = Math.max(offset, Number(batch.readBigInt64BE(0)) + batch.readInt32BE(23) + 1);
    }
  }
  for (const [key, at] of acknowledged) {
    const found = latest.get(key);
    if (found ? found.offset < at : known.get(at)!.value !== null) {
      throw new Error(`${key} was last written at ${at}, found ${JSON.stringify(found)}`);
    }
  }
}
