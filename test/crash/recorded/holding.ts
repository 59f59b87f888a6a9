import type { LogConfig } from '../../../broker/log/config.ts';
import { openDiskLog } from '../../../broker/log/open-log.ts';
import type { Partition } from '../../../broker/log/partition/partition.ts';
import { Promises } from './promised.ts';
import type { Recording } from './record.ts';

const RETENTION_MS = 60_000;
const HOLD_BYTES = 1_000;
const SEGMENT_BYTES = 400;

/**
 * One partition holds what a group has not read, one only up to a bound. Every start lets retention run long after all
 * records are past their time, and before anybody knows how far the group is.
 */
export function holdingRecording(sizes: Partial<LogConfig> & { readonly dataDir: string }): Recording {
  const promises = new Promises();
  const config = { ...sizes, segmentBytes: SEGMENT_BYTES, walFileBytes: 1_500 };
  const configs = { 'retention.ms': `${RETENTION_MS}`, 'retention.hold.groups': 'slow' };
  return {
    name: 'holding',
    promises: () => promises.count,
    async work(host, machine) {
      const log = await openDiskLog(config, host);
      const [held] = await promises.createTopic(log, 'held', 1, configs);
      const bounded = { ...configs, 'retention.hold.bytes': `${HOLD_BYTES}` };
      const [bound] = await promises.createTopic(log, 'bounded', 1, bounded);
      let position = 0;
      log.waitFor({ positionOf: () => position });
      promises.hold(held!, position);
      const readTo = (offset: number): void => {
        position = offset;
        promises.hold(held!, position);
      };
      for (let round = 0; round < 2; round += 1) {
        for (let i = 0; i < 5; i += 1) {
          for (const partition of [held, bound]) await promises.send(log, partition!, 1, 1, 120);
        }
        await log.checkpoint();
        machine.loop.nowMs += 2 * RETENTION_MS;
        await log.keepHouse();
        if (held!.startOffset > position) throw new Error('what is held went');
        checkBound(bound!);
        readTo(round === 0 ? 3 : held!.highWatermark);
        await log.keepHouse();
      }
      if (held!.startOffset !== held!.highWatermark) throw new Error('what is read stays');
      if (bound!.startOffset === 0) throw new Error('the bound took nothing');
    },
    async look(host) {
      const log = await openDiskLog(config, host);
      await host.timers.sleep(3 * RETENTION_MS);
      await log.keepHouse();
      const bound = log.topic('bounded')?.partitions[0];
      if (bound) checkBound(bound as Partition);
      return await promises.check(log);
    },
    goOn: async (host) => await promises.checkProducers(await openDiskLog(config, host)),
  };
}

function checkBound({ segmentBytes }: Partition): void {
  if (segmentBytes >= HOLD_BYTES + SEGMENT_BYTES)
    throw new Error(`holds ${segmentBytes} bytes, want less than ${HOLD_BYTES} and a segment`);
}
