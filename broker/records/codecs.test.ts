import { lz4Compress, snappyCompress } from '@platformatic/wasm-utils';
import { describe, expect, test } from 'vitest';

import { type Codec, codecOf, CODECS } from './codecs.ts';

const samples: Array<[string, Buffer]> = [
  ['nothing', Buffer.alloc(0)],
  ['one byte', Buffer.from('x')],
  ['a run', Buffer.alloc(200_000, 7)],
  ['text', Buffer.from('level=info msg="request served" status=200 '.repeat(4_000))],
  ['noise', Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 7919 + (i >> 3) * 104_729) & 0xff))],
];

describe('every codec gives back what it took', () => {
  for (const codec of CODECS) {
    for (const [name, data] of samples) {
      test(`${codec.name}: ${name}`, () => {
        expect(codec.decompress(codec.compress(data), 1_000_000).equals(data)).toBe(true);
      });
    }
  }
});

test('raw snappy, as librdkafka and Go clients write it, is read too', () => {
  for (const [, data] of samples) {
    expect(codecOf(2).decompress(snappyCompress(data), 1_000_000).equals(data)).toBe(true);
  }
});

test('known bytes: snappy and lz4', () => {
  // Made by hand from the format pages: a literal, then a copy that overlaps itself.
  expect(
    codecOf(2)
      .decompress(Buffer.from('09 08 61 62 63 09 03'.replaceAll(' ', ''), 'hex'), 100)
      .toString(),
  ).toBe('abcabcabc');
  const frame = Buffer.concat([
    Buffer.from('04224d18604082', 'hex'),
    Buffer.from('0c000000', 'hex'),
    Buffer.from('326162630300506465666768', 'hex'),
    Buffer.from('00000000', 'hex'),
  ]);
  expect(codecOf(3).decompress(frame, 100).toString()).toBe('abcabcabcdefgh');
});

test('concatenated lz4 frames are one stream', () => {
  const frame = lz4Compress(Buffer.from('abc'));
  expect(
    codecOf(3)
      .decompress(Buffer.concat([frame, frame]), 100)
      .toString(),
  ).toBe('abcabc');
});

describe('a bomb is refused at its bound', () => {
  for (const codec of CODECS.slice(1)) {
    test(`${codec.name}`, () => {
      const bomb = codec.compress(Buffer.alloc(10_000_000));
      expect(() => codec.decompress(bomb, 1_000_000)).toThrow(/1000000|larger than/);
    });
  }
});

describe('no bad input does more than throw', () => {
  for (const codec of CODECS.slice(1)) {
    test(`${codec.name}`, () => {
      const good = codec.compress(
        Buffer.from('the quick brown fox jumps over the lazy dog, the quick brown fox'),
      );
      for (let at = 0; at < good.length; at++) {
        for (const value of [0, 0xff, good[at]! ^ 0x10]) {
          const bad = Buffer.from(good);
          bad[at] = value;
          for (const input of [bad, good.subarray(0, at)]) {
            expect(lengthOrError(codec, input)).toBeLessThanOrEqual(10_000);
          }
        }
      }
    });
  }
});

/** -1 for an error of the right kind: anything else, a trap or a hang, fails the test by itself. */
function lengthOrError(codec: Codec, input: Buffer): number {
  try {
    return codec.decompress(input, 10_000).length;
  } catch (error) {
    if (error instanceof Error && !(error instanceof WebAssembly.RuntimeError)) return -1;
    throw error;
  }
}
