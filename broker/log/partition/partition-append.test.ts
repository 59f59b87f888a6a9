import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { CLIENT, NOW_MS, SimLog } from '../../../test/sim/sim-log.ts';
import { recordBatch } from '../../../test/support/record-batch.ts';
import { crc32c } from '../batch/crc32c.ts';

let sim: SimLog;
beforeEach(async () => {
  sim = await SimLog.open(5, { segmentBytes: 10_000 });
});
afterEach(() => sim.close());

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
      const partition = await sim.createTopic({ 'max.message.bytes': '4000' });
      expect(() => partition.append(change(recordBatch(good)), CLIENT)).toThrow(
        expect.objectContaining({ code }),
      );
      expect(partition.endOffset).toBe(0);
      expect((await sim.append(partition, recordBatch(good))).baseOffset).toBe(0);
    });
  }
});

test('LogAppendTime stamps the batch, whose CRC holds again', async () => {
  const partition = await sim.createTopic({ 'message.timestamp.type': 'LogAppendTime' });
  const appended = partition.append(recordBatch({ values: ['a', 'b'], baseTimestamp: 5 }), CLIENT);
  await sim.settle(appended.durable);
  expect(appended.logAppendTimeMs).toBe(NOW_MS);
  const bytes = await sim.settle(partition.read(0, 1_000, true));
  expect(bytes.readUInt32BE(17)).toBe(crc32c(bytes, 21));
  expect(await sim.settle(partition.offsetForTimestamp(NOW_MS))).toEqual({
    offset: 0,
    timestampMs: NOW_MS,
  });
});

function flipped(batch: Buffer, at: number): Buffer {
  return patched(batch, at, batch[at]! ^ 1);
}

function patched(batch: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(batch);
  copy[at] = value;
  return copy;
}
