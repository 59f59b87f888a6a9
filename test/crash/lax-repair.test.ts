import { describe, expect, test } from 'vitest';

import { openDiskLog } from '../../broker/log/open-log.ts';
import { SimMachine } from '../sim/sim-host.ts';
import { readBatches, recordBatch } from '../support/record-batch.ts';
import { NO_BUG, OWED_BUGS, type PlantedBug } from './planted-bugs.ts';

/**
 * A sync of lax batches fails, and the repair is refused a few times: the process is killed at each of its operations.
 * Everything that was acknowledged has to be there.
 */
const CONFIG = { dataDir: '/data', tailBytesMax: 0, probeMs: 5, walFileBytes: 20_000, reserveBytes: 0 };
const OPTIONS = { nowMs: 1_700_000_000_000, origin: 'client' as const };

async function killedAt(killAt: number, { plant }: PlantedBug): Promise<{ over: boolean; wrong: string }> {
  const machine = new SimMachine(killAt);
  const host = machine.boot();
  const { loop } = machine;
  const log = await loop.settle(openDiskLog(CONFIG, plant(host)));
  await loop.settle(log.createTopic({ name: 'lax', partitions: 1, configs: { 'flush.ms': '30' } }));
  await loop.settle(log.createTopic({ name: 'strict', partitions: 1, configs: {} }));
  const acknowledged = new Map<string, string>();
  const append = (topic: string, value: string): void => {
    try {
      const batch = recordBatch({ values: [value] });
      const { baseOffset, durable } = log.topic(topic)!.partitions[0]!.append(batch, OPTIONS);
      durable.then(
        () => acknowledged.set(`${topic} ${baseOffset}`, value),
        () => {},
      );
    } catch {
      // Refused.
    }
  };
  let failures = 0;
  let operations = 0;
  host.files.fault = (operation, path) => {
    if (operation === 'datasync' && path.endsWith('.wal') && failures === 0) {
      failures = 1;
      return { code: 'EIO' };
    }
    if (failures > 0 && (operations += 1) === killAt) host.files.kill();
    const refused = operation === 'write' && path.endsWith('checkpoint.json.tmp') && failures > 0;
    if (refused && (failures += 1) < 4) return { code: 'EIO' };
    return undefined;
  };
  for (let i = 0; i < 4; i++) {
    append('lax', `lax-${i}`);
    if (i === 2) append('strict', 'refused');
    await loop.pass(2);
  }
  for (let i = 0; i < 60 && !host.files.off; i++) {
    await loop.pass(1);
    if (!log.storageError && i % 4 === 0) append('strict', `later-${i}`);
  }
  const over = !host.files.off;
  host.files.kill();
  const again = await loop.settle(openDiskLog(CONFIG, plant(machine.boot())));
  for (const [place, value] of acknowledged) {
    const [topic, offset] = place.split(' ');
    const partition = again.topic(topic!)!.partitions[0]!;
    const bytes =
      Number(offset) < partition.highWatermark ? partition.read(Number(offset), 0, true) : undefined;
    const found = bytes && readBatches(await loop.settle(bytes))[0]?.values[0];
    if (found !== value) return { over, wrong: `${place} was ${value}, is ${found ?? 'gone'}` };
  }
  return { over, wrong: '' };
}

/** The first promise broken at any operation. */
async function broken(bug: PlantedBug): Promise<string> {
  for (let killAt = 1; ; killAt++) {
    const { over, wrong } = await killedAt(killAt, bug);
    if (wrong !== '') return `killed at ${killAt}: ${wrong}`;
    if (over) return killAt > 40 ? '' : `only ${killAt} operations`;
  }
}

test('a kill at each operation of the repair after a failed sync loses nothing', async () => {
  expect(await broken(NO_BUG)).toBe('');
});

describe('a planted mistake is found', () => {
  for (const bug of OWED_BUGS) {
    test(`${bug.name}`, async () => expect(await broken(bug)).toMatch(/gone|is /));
  }
});
