import { expect, test } from 'vitest';

import { SimRandom } from '../../../test/sim/sim-random.ts';
import { recordBatch } from '../../../test/support/record-batch.ts';
import { stampAppendTime } from './batch-header.ts';
import { crc32c, crc32cInScript } from './crc32c.ts';

test('CRC32C in script equals the native one', () => {
  const bytes = new SimRandom(5).bytes(5_000);
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
