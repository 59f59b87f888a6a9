import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { SimMachine } from '../../../test/sim/sim-host.ts';
import { type BatchPlan, readBatches, recordBatch } from '../../../test/support/record-batch.ts';
import type { CodecName } from '../../records/codecs.ts';
import { stampAppendTime } from '../batch/batch-header.ts';
import { crc32c, crc32cInScript } from '../batch/crc32c.ts';
import type { DiskLog } from '../disk-log.ts';
import { openDiskLog } from '../open-log.ts';
import type { Partition } from './partition.ts';

let machine: SimMachine;
let log: DiskLog;
const options = { nowMs: 1_700_000_000_000, origin: 'client' as const };

beforeEach(async () => {
  machine = new SimMachine(5);
  log = await machine.loop.settle(
    openDiskLog({ dataDir: '/data', segmentBytes: 10_000, tailBytesMax: 0, reserveBytes: 0 }, machine.boot()),
  );
});
afterEach(async () => {
  await machine.loop.settle(log.close());
});

async function partitionOf(configs: Record<string, string> = {}): Promise<Partition> {
  await machine.loop.settle(log.createTopic({ name: 't', partitions: 1, configs }));
  return log.topic('t')!.partitions[0] as Partition;
}

async function append(partition: Partition, plan: BatchPlan): Promise<number> {
  const { baseOffset, durable } = partition.append(recordBatch(plan), options);
  await machine.loop.settle(durable);
  return baseOffset;
}

describe('what is refused leaves no trace', () => {
  const good = { values: ['a'] };
  const cases: Array<[string, string, (batch: Buffer) => Buffer]> = [
    ['a flipped bit', 'CORRUPT_MESSAGE', (batch) => flipped(batch, 62)],
    ['a wrong length', 'CORRUPT_MESSAGE', (batch) => batch.subarray(0, batch.length - 1)],
    ['two batches', 'CORRUPT_MESSAGE', (batch) => Buffer.concat([batch, batch])],
    ['an old format', 'UNSUPPORTED_FOR_MESSAGE_FORMAT', (batch) => patched(batch, 16, 1)],
    ['a control batch', 'INVALID_RECORD', () => recordBatch({ ...good, attributes: 0x20 })],
    [
      'a transactional batch that no coordinator knows',
      'INVALID_TXN_STATE',
      () => recordBatch({ ...good, attributes: 0x10, producerId: 3, producerEpoch: 0, baseSequence: 0 }),
    ],
    [
      'a transactional batch without a producer',
      'INVALID_RECORD',
      () => recordBatch({ ...good, attributes: 0x10 }),
    ],
    ['no sequence', 'INVALID_RECORD', () => recordBatch({ ...good, producerId: 3, producerEpoch: 0 })],
    ['too large', 'MESSAGE_TOO_LARGE', () => recordBatch({ values: ['x'.repeat(5_000)] })],
    ['an unknown codec', 'UNSUPPORTED_COMPRESSION_TYPE', () => recordBatch({ ...good, attributes: 5 })],
  ];
  for (const [name, code, change] of cases) {
    test(`${name}: ${code}`, async () => {
      const partition = await partitionOf({ 'max.message.bytes': '4000' });
      expect(() => partition.append(change(recordBatch(good)), options)).toThrow(
        expect.objectContaining({ code }),
      );
      expect(partition.endOffset).toBe(0);
      expect(await append(partition, good)).toBe(0);
    });
  }
});

describe('idempotent producers', () => {
  const batch = (baseSequence: number, producerEpoch = 0, values = ['v']): BatchPlan => ({
    values,
    producerId: 9,
    producerEpoch,
    baseSequence,
  });

  test('one of the last five is answered with its first offset, an older one is refused', async () => {
    const partition = await partitionOf();
    for (let i = 0; i < 7; i++) expect(await append(partition, batch(i))).toBe(i);
    for (let i = 2; i < 7; i++) {
      expect(partition.append(recordBatch(batch(i)), options)).toMatchObject({
        baseOffset: i,
        duplicate: true,
      });
    }
    expectRefused(partition, batch(1), 'OUT_OF_ORDER_SEQUENCE_NUMBER');
    expect(partition.endOffset).toBe(7);
  });

  test('a gap is refused and changes nothing; a new epoch starts at 0; an old epoch is refused', async () => {
    const partition = await partitionOf();
    await append(partition, batch(0));
    expectRefused(partition, batch(2), 'OUT_OF_ORDER_SEQUENCE_NUMBER');
    await append(partition, batch(1));
    expectRefused(partition, batch(5, 1), 'OUT_OF_ORDER_SEQUENCE_NUMBER');
    await append(partition, batch(0, 1));
    expectRefused(partition, batch(2, 0), 'INVALID_PRODUCER_EPOCH');
    expect(partition.endOffset).toBe(3);
  });

  test('sequences wrap after Int.MAX, also within a batch', async () => {
    const partition = await partitionOf();
    await append(partition, batch(2 ** 31 - 2, 0, ['a', 'b', 'c']));
    expect(await append(partition, batch(1))).toBe(3);
  });

  test('the state survives a restart, clean or not', async () => {
    for (const clean of [true, false]) {
      const partition = log.topic('t') ? (log.topic('t')!.partitions[0] as Partition) : await partitionOf();
      const next = partition.endOffset;
      await append(partition, batch(next));
      if (clean) await machine.loop.settle(log.close());
      else (log.host.files as unknown as { kill(): void }).kill();
      log = await machine.loop.settle(openDiskLog({ dataDir: '/data' }, machine.boot()));
      const again = log.topic('t')!.partitions[0]!.append(recordBatch(batch(next)), options);
      expect(again).toMatchObject({ baseOffset: next, duplicate: true });
    }
  });

  test('a silent producer is forgotten after a day', async () => {
    const partition = await partitionOf();
    await append(partition, batch(0));
    machine.loop.nowMs += 25 * 3_600_000;
    await machine.loop.settle(log.keepHouse());
    expect(await append(partition, batch(40))).toBe(1);
  });
});

describe('the offset for a timestamp is that of a record', () => {
  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] satisfies CodecName[]) {
    test(`${codec}`, async () => {
      const partition = await partitionOf();
      for (let i = 0; i < 40; i++) {
        const values = Array.from({ length: 20 }, (_, record) => `${i}-${record}-${'x'.repeat(50)}`);
        await append(partition, {
          values,
          codec,
          baseTimestamp: 1_000 * i,
          timestampDeltas: values.map((_, at) => at * 10),
        });
      }
      await machine.loop.settle(log.checkpoint());
      for (const [timestampMs, want] of [
        [0, { offset: 0, timestampMs: 0 }],
        [1, { offset: 1, timestampMs: 10 }],
        [17_095, { offset: 17 * 20 + 10, timestampMs: 17_100 }],
        [17_500, { offset: 18 * 20, timestampMs: 18_000 }],
        [39_190, { offset: 799, timestampMs: 39_190 }],
        [39_191, undefined],
      ] as const) {
        expect(await machine.loop.settle(partition.offsetForTimestamp(timestampMs))).toEqual(want);
      }
      expect(await machine.loop.settle(partition.maxTimestamp())).toEqual({
        offset: 799,
        timestampMs: 39_190,
      });
      expect(await machine.loop.settle(partition.timestampAt(45))).toBe(2_190);
    });
  }
});

describe('retention', () => {
  const old = { values: ['x'.repeat(900)], baseTimestamp: 1_690_000_000_000 };
  const fresh = { values: ['x'.repeat(900)], baseTimestamp: 1_700_000_000_000 };

  test('by time: an idle topic empties, the active segment too', async () => {
    const partition = await partitionOf({ 'retention.ms': '3600000' });
    for (let i = 0; i < 25; i++) await append(partition, old);
    await machine.loop.settle(log.checkpoint());
    await machine.loop.settle(log.keepHouse());
    expect([partition.startOffset, partition.sizeBytes]).toEqual([25, 0]);
    await append(partition, fresh);
    await machine.loop.settle(log.keepHouse());
    expect([partition.startOffset, partition.endOffset]).toEqual([25, 26]);
  });

  test('by size: whole segments, oldest first', async () => {
    const partition = await partitionOf({ 'retention.bytes': '15000' });
    for (let i = 0; i < 45; i++) await append(partition, fresh);
    await machine.loop.settle(log.checkpoint());
    await machine.loop.settle(log.keepHouse());
    expect(partition.startOffset).toBeGreaterThan(15);
    expect(partition.sizeBytes).toBeGreaterThanOrEqual(15_000);
    expect(partition.sizeBytes).toBeLessThan(25_000);
    await expect(partition.read(0, 10, true)).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' });
  });

  test('compacted topics lose nothing', async () => {
    const partition = await partitionOf({
      'cleanup.policy': 'compact',
      'retention.ms': '1',
      'retention.bytes': '1',
    });
    const own = { ...options, origin: 'coordinator' } as const;
    for (let i = 0; i < 25; i++) await machine.loop.settle(partition.append(recordBatch(old), own).durable);
    await machine.loop.settle(log.keepHouse());
    expect(partition.startOffset).toBe(0);
  });
});

test('LogAppendTime stamps the batch, whose CRC holds again', async () => {
  const partition = await partitionOf({ 'message.timestamp.type': 'LogAppendTime' });
  const appended = partition.append(recordBatch({ values: ['a', 'b'], baseTimestamp: 5 }), options);
  await machine.loop.settle(appended.durable);
  expect(appended.logAppendTimeMs).toBe(options.nowMs);
  const bytes = await machine.loop.settle(partition.read(0, 1_000, true));
  expect(bytes.readUInt32BE(17)).toBe(crc32c(bytes, 21));
  expect(await machine.loop.settle(partition.offsetForTimestamp(options.nowMs))).toEqual({
    offset: 0,
    timestampMs: options.nowMs,
  });
});

test('readers below the end get whole batches up to their bound, and at least one when they ask', async () => {
  const partition = await partitionOf();
  for (let i = 0; i < 10; i++) await append(partition, { values: [`${i}`] });
  const size = recordBatch({ values: ['0'] }).length;
  const read = async (offset: number, maxBytes: number, minOneBatch: boolean): Promise<number[]> =>
    readBatches(await machine.loop.settle(partition.read(offset, maxBytes, minOneBatch))).map(
      (one) => one.baseOffset,
    );
  for (const when of ['from memory', 'from the segment']) {
    if (when === 'from the segment') await machine.loop.settle(log.checkpoint());
    expect(await read(3, size * 3, false)).toEqual([3, 4, 5]);
    expect(await read(3, 1, true)).toEqual([3]);
    expect(await read(3, 1, false)).toEqual([]);
    expect(await read(10, 100, true)).toEqual([]);
  }
});

test('CRC32C in script equals the native one', () => {
  const bytes = machine.random.bytes(5_000);
  for (const [start, end] of [
    [0, 5_000],
    [1, 1_000],
    [7, 500],
    [3, 110],
  ] as const) {
    expect(crc32cInScript(bytes, start, end, 0)).toBe(crc32c(bytes, start, end));
  }
  expect(crc32cInScript(Buffer.from('123456789'), 0, 9, 0)).toBe(0xe3069283);
  const stamped = recordBatch({ values: ['a'] });
  stampAppendTime(stamped, 1);
  expect(stamped.readUInt32BE(17)).toBe(crc32c(stamped, 21));
});

function expectRefused(partition: Partition, plan: BatchPlan, code: string): void {
  expect(() => partition.append(recordBatch(plan), options)).toThrow(expect.objectContaining({ code }));
}

function flipped(batch: Buffer, at: number): Buffer {
  return patched(batch, at, batch[at]! ^ 1);
}

function patched(batch: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(batch);
  copy[at] = value;
  return copy;
}
