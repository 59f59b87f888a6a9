import { expect, test } from 'vitest';

import { Writer } from '../../../broker/records/otlp/writer.ts';
import { oracleDecode } from '../../../test/support/otlp-oracle.ts';
import { linesIn } from '../../../test/support/tailing.ts';
import { encodeResource, LineEncoder, type LineBatch, requestPieces } from './line-batch.ts';
import type { Position } from './positions.ts';

const position = { source: 'a/1', path: '/var/log/app.log' } as Position;
const resource = encodeResource({ 'service.name': 'shop', 'host.name': 'h' });

function batchOf(lines: ReadonlyArray<readonly [body: string, offset: number]>, lastNs = 0n): LineBatch {
  const encoder = new LineEncoder(new Writer(), position.path);
  encoder.begin(0n, lastNs);
  for (const [body, offset] of lines) {
    const bytes = Buffer.from(`..${body}..`);
    encoder.line(bytes, 2, bytes.length - 2, false, offset, offset + bytes.length - 3);
  }
  return encoder.finish(position, resource, 99, false);
}

test.each([0, 127, 128, 16_383, 16_384, 2 ** 31 - 1, 2 ** 31, 2 ** 35, 2 ** 49, Number.MAX_SAFE_INTEGER])(
  'offset %i and bodies of all length sizes are read back by another library',
  (offset) => {
    const bodies = [0, 1, 100, 127, 128, 16_300, 16_400].map((length) => 'ä'.repeat(length));
    const batch = batchOf(bodies.map((body) => [body, offset]));
    const lines = linesIn(Buffer.concat(requestPieces(batch, 0, bodies.length)));
    expect(lines.map(({ text }) => text)).toEqual(bodies);
    expect(new Set(lines.map((line) => line.offset))).toEqual(new Set([offset]));
  },
);

test('any part of a batch is a request of its own', () => {
  const batch = batchOf([
    ['a', 0],
    ['b', 2],
    ['c', 4],
  ]);
  const part = (from: number, to: number): string[] =>
    linesIn(Buffer.concat(requestPieces(batch, from, to))).map(({ text, service }) => `${service}: ${text}`);
  expect(part(0, 3)).toEqual(['shop: a', 'shop: b', 'shop: c']);
  expect(part(1, 2)).toEqual(['shop: b']);
  expect(part(2, 3)).toEqual(['shop: c']);
  expect(batch.offsets).toEqual([2, 4, 6]);
});

test('times rise across the border of their halves, and both are set', () => {
  const batch = batchOf(
    [
      ['a', 0],
      ['b', 2],
    ],
    0x1_ffff_fffen,
  );
  const request = oracleDecode('ExportLogs', Buffer.concat(requestPieces(batch, 0, 2)));
  const times = { timeUnixNano: '8589934592', observedTimeUnixNano: '8589934592' };
  const first = { timeUnixNano: '8589934591', observedTimeUnixNano: '8589934591' };
  expect(request).toMatchObject({ resourceLogs: [{ scopeLogs: [{ logRecords: [first, times] }] }] });
  expect(batch.lastNs).toBe(0x2_0000_0000n);
});
