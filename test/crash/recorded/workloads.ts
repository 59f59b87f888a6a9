import type { LogConfig } from '../../../broker/log/config.ts';
import type { DiskLog } from '../../../broker/log/disk-log.ts';
import { openDiskLog } from '../../../broker/log/open-log.ts';
import type { Partition } from '../../../broker/log/partition/partition.ts';
import type { SimHost, SimMachine } from '../../sim/sim-host.ts';
import { groupsRecording } from './groups.ts';
import { holdingRecording } from './holding.ts';
import { Promises } from './promised.ts';
import type { Recording } from './record.ts';

interface Step {
  readonly log: DiskLog;
  readonly promises: Promises;
  readonly machine: SimMachine;
  readonly host: SimHost;
}

const HOUR_MS = 3_600_000;
const SIZES: Partial<LogConfig> & { readonly dataDir: string } = {
  dataDir: '/data/log',
  segmentBytes: 1_200,
  walFileBytes: 2_500,
  tailBytesMax: 0,
  reserveBytes: 0,
  // Only when asked for.
  retentionCheckMs: HOUR_MS,
  cleanerCheckMs: HOUR_MS,
};

/** Each with promises of its own: they count up while it runs. */
export function recordings(): Recording[] {
  return [
    recording('produce', {}, async ({ log, promises }) => {
      const [first, second] = await promises.createTopic(log, 't', 2);
      // Several at once, in one group and over two, small and large.
      for (let round = 0; round < 3; round += 1) {
        await Promise.all([
          promises.send(log, first!, 1, 1),
          promises.send(log, second!, 1, 3),
          promises.send(log, first!, 2, 2, 150),
        ]);
        const late = promises.send(log, first!, 1, 1, 60);
        await log.host.timers.sleep(0.1);
        await Promise.all([late, promises.send(log, second!, 2, 1)]);
      }
      await log.close();
    }),
    recording('transactions', {}, async ({ log, promises }) => {
      const [first, second] = await promises.createTopic(log, 't', 2);
      await promises.send(log, first!, 1, 2, 20, true);
      await promises.send(log, first!, 2, 1, 20, true);
      await promises.send(log, first!, 9, 1);
      await promises.end(log, first!, 1, false);
      await promises.send(log, second!, 3, 1, 20, true);
      await Promise.all([promises.end(log, first!, 2, true), promises.end(log, second!, 3, false)]);
      await log.checkpoint();
      await promises.send(log, first!, 1, 1, 20, true);
      await promises.send(log, second!, 9, 1);
      await promises.end(log, first!, 1, false);
      await promises.send(log, first!, 2, 1, 20, true);
    }),
    recording('roll', { segmentBytes: 500, walFileBytes: 1_200 }, async ({ log, promises }) => {
      const [partition] = await promises.createTopic(log, 't', 1);
      for (let i = 0; i < 12; i += 1) await promises.send(log, partition!, 1 + (i % 2), 1, 90);
      await log.close();
    }),
    recording('retention', { segmentBytes: 400, diskBytesMax: 6_000, walFileBytes: 1_500 }, async (step) => {
      const { log, promises, machine } = step;
      const [sized] = await promises.createTopic(log, 'size', 1, { 'retention.bytes': '700' });
      const [timed] = await promises.createTopic(log, 'time', 1, { 'retention.ms': '60000' });
      const [deleted] = await promises.createTopic(log, 'request', 1);
      for (let i = 0; i < 5; i += 1) {
        for (const partition of [sized, timed, deleted]) await promises.send(log, partition!, 1, 1, 120);
      }
      await log.checkpoint();
      await log.keepHouse();
      await promises.deleteBefore(deleted!, 2);
      machine.loop.nowMs += 120_000;
      await log.keepHouse();
      await promises.send(log, timed!, 1, 1, 60);
      await promises.deleteBefore(deleted!, 5);
    }),
    recording(
      'the disk bound',
      { segmentBytes: 400, diskBytesMax: 5_000, walFileBytes: 800 },
      async (step) => {
        const { log, promises } = step;
        const [partition] = await promises.createTopic(log, 't', 1, { 'retention.bytes': '1000000' });
        for (let i = 0; i < 16; i += 1) await promises.send(log, partition!, 1, 1, 150);
        await log.checkpoint();
        await log.keepHouse();
        if (partition!.startOffset === 0) throw new Error('the disk bound took nothing');
        await promises.send(log, partition!, 1, 1, 60);
      },
    ),
    recording('compaction', { segmentBytes: 300 }, async ({ log, promises }) => {
      const configs = {
        'cleanup.policy': 'compact',
        'min.cleanable.dirty.ratio': '0.1',
        'delete.retention.ms': '0',
      };
      const [partition] = await promises.createTopic(log, 't', 1, configs);
      for (let round = 0; round < 2; round += 1) {
        for (let i = 0; i < 9; i += 1) {
          await promises.put(
            log,
            partition!,
            `k${i % 4}`,
            i === 5 ? null : `${round}-${i}`.padStart(12, '.'),
          );
        }
        await log.checkpoint();
        await log.compact();
      }
      if (partition!.cleanedTo === 0) throw new Error('nothing was compacted');
    }),
    recording('topics', {}, async ({ log, promises }) => {
      const [first] = await promises.createTopic(log, 'stays', 1);
      const [goes] = await promises.createTopic(log, 'goes', 2);
      await promises.send(log, goes!, 1, 1);
      await promises.send(log, first!, 1, 2);
      await promises.grow(log, 'stays', 3);
      const grown = log.topic('stays')!.partitions as readonly Partition[];
      await promises.send(log, grown[2]!, 1, 1);
      await promises.deleteTopic(log, 'goes');
      await log.checkpoint();
      await promises.send(log, first!, 1, 1);
    }),
    startRecording(),
    groupsRecording(),
    holdingRecording(SIZES),
  ];
}

function recording(name: string, sizes: Partial<LogConfig>, act: (step: Step) => Promise<void>): Recording {
  const promises = new Promises();
  const config = { ...SIZES, ...sizes };
  return {
    name,
    promises: () => promises.count,
    work: async (host, machine) => act({ log: await openDiskLog(config, host), promises, machine, host }),
    look: async (host) => await promises.check(await openDiskLog(config, host)),
    goOn: async (host) => await promises.checkProducers(await openDiskLog(config, host)),
  };
}

/** A start on what a kill left: much to replay, into segments that roll, and a clean end. */
function startRecording(): Recording {
  const promises = new Promises();
  const config = { ...SIZES, walFileBytes: 100_000, segmentBytes: 500 };
  return {
    name: 'start',
    promises: () => promises.count,
    async prepare(host) {
      const log = await openDiskLog(config, host);
      const [first, second] = await promises.createTopic(log, 't', 2);
      for (let i = 0; i < 6; i += 1) await promises.send(log, i % 2 ? first! : second!, 1, 1, 100);
      await promises.send(log, first!, 2, 1, 20, true);
    },
    async work(host) {
      const log = await openDiskLog(config, host);
      const [first] = log.topic('t')!.partitions as readonly Partition[];
      await promises.send(log, first!, 3, 1, 50);
      await log.close();
    },
    look: async (host) => await promises.check(await openDiskLog(config, host)),
    goOn: async (host) => await promises.checkProducers(await openDiskLog(config, host)),
  };
}
