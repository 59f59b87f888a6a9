import { describe, expect, test } from 'vitest';

import { recordBatch } from '../../../test/support/record-batch.ts';
import type { FileHandle } from '../../host/files.ts';
import { stampBatch } from '../batch/batch-header.ts';
import { crc32c } from '../batch/crc32c.ts';
import { findBatchBehind } from './segment-resync.ts';

/** A batch with a record's content of `bytes`, at an offset. */
function batch(offset: number, content = 'value'): Buffer {
  const made = recordBatch({ values: [content] });
  stampBatch(made, offset, 0);
  return made;
}

function fileOf(content: Buffer): FileHandle {
  const never = (): Promise<never> => Promise.reject(new Error('not used'));
  return {
    read: (target, position) => Promise.resolve(content.copy(target, 0, position)),
    write: never,
    datasync: never,
    truncate: never,
    stat: never,
    close: never,
  };
}

/** Breaks the batch at `broken` and looks behind it. */
async function find(
  batches: readonly Buffer[],
  broken: number,
  damage: (content: Buffer, at: number) => void,
): Promise<number | undefined> {
  const content = Buffer.concat(batches);
  const at = Buffer.concat(batches.slice(0, broken)).length;
  damage(content, at);
  const found = await findBatchBehind(fileOf(content), {
    position: at,
    lowestOffset: broken + 1,
    limit: content.length,
  });
  if (found === undefined) return undefined;
  for (let i = 0, start = 0; i < batches.length; start += batches[i]!.length, i++)
    if (start === found) return i;
  throw new Error(`found ${found}, where no batch begins`);
}

const length =
  (value: number) =>
  (content: Buffer, at: number): void =>
    void content.writeInt32BE(value, at + 8);
const erased =
  (bytes: number) =>
  (content: Buffer, at: number): void =>
    void content.fill(0, at, at + bytes);

describe('the next batch is found', () => {
  const four = [0, 1, 2, 3].map((offset) => batch(offset));
  const large = [batch(0), batch(1, 'x'.repeat(200_000)), batch(2, 'y'.repeat(70_000)), batch(3)];
  test.each([
    ['behind a damaged length', four, 1, length(17), 2],
    ['behind a negative length', four, 1, length(-5), 2],
    ['behind a length that leads into a later batch', four, 1, length(100), 2],
    ['behind an erased header', four, 1, erased(61), 2],
    ['behind two erased batches', four, 0, erased(2 * batch(0).length - 3), 2],
    ['behind a damaged record', four, 1, (content: Buffer, at: number) => void (content[at + 70]! ^= 1), 2],
    ['behind a large one, further than one look', large, 1, length(9), 2],
    ['when it is the last', four, 2, length(9), 3],
    ['but none behind the last', four, 3, length(9), undefined],
  ])('%s', async (_, batches, broken, damage, want) => {
    expect(await find(batches, broken, damage)).toBe(want);
  });
});

describe('the content of a record is not taken for a batch', () => {
  const forged = Buffer.concat([batch(2, 'forged'), batch(3, 'forged too'), Buffer.from('end')]);
  const outer = batch(1, 'x'.repeat(forged.length));
  const start = outer.indexOf('xxx');
  forged.copy(outer, start);
  outer.writeUInt32BE(crc32c(outer, 21), 17);
  test.each([
    ['of a damaged length', length(40)],
    ['of a length that leads to the forged batch', length(start - 12)],
    ['of an erased header', erased(40)],
  ])('%s', async (_, damage) => {
    const batches = [batch(0), Buffer.from(outer), batch(2), batch(3)];
    expect(await find(batches, 1, damage)).toBe(2);
  });
});
