/**
 * Frames to break a broker with: one valid frame of every API in every version, as its schema allows, and what becomes
 * of it when bits flip, bytes are missing, lengths and counts lie or parts come twice. By seed, so that any can be had
 * again.
 */
import fc from 'fast-check';

import type { Handler } from '../../broker/server/handler.ts';
import type { Encodable, Fields } from '../../broker/wire/schema.ts';
import { requestFrame } from '../../broker/wire/frame.ts';
import { crc32c } from '../../broker/log/batch/crc32c.ts';
import { produce } from '../../broker/wire/schemas/index.ts';
import { arbitraryMessage } from '../support/arbitrary-message.ts';
import { recordBatch } from '../support/record-batch.ts';
import { seededRandom } from '../support/seeded-random.ts';

export interface Fuzzer {
  /** The n-th frame, without its length: the same for the same seed. */
  readonly frame: (n: number) => Buffer;
  readonly corpus: readonly Buffer[];
}

const SAMPLES_PER_VERSION = 3;
const LYING_LENGTHS = [0x7fff_ffff, -1, -2, -0x8000_0000, 0x7fff, 0xffff, 1_000_000, 65_536, 0, 1];
/** Unsigned varints: nothing, 2^31, 2^32 - 1, too long, and without an end. */
const LYING_VARINTS = ['00', '8080808008', 'ffffffff0f', 'ffffffffff0f', '80808080808080'].map((hex) =>
  Buffer.from(hex, 'hex'),
);

export function fuzzer(handlers: readonly Handler[], seed: number, topic: string): Fuzzer {
  const corpus = corpusOf(handlers, seed, topic);
  return {
    corpus,
    frame(n) {
      const random = seededRandom(seed ^ Math.imul(n + 1, 0x9e37_79b1));
      const pick = (below: number): number => Math.floor(random() * below);
      let frame: Buffer = Buffer.from(corpus[pick(corpus.length)]!);
      for (let times = pick(4); times >= 0; times -= 1) frame = mutated(frame, pick, corpus);
      return frame;
    },
  };
}

function corpusOf(handlers: readonly Handler[], seed: number, topic: string): Buffer[] {
  const corpus: Buffer[] = [];
  for (const { api, served } of handlers) {
    for (let version = served[0]; version <= served[1]; version += 1) {
      const samples = fc.sample(arbitraryMessage(api.fields.request, version), {
        numRuns: SAMPLES_PER_VERSION,
        seed: seed + version,
      });
      for (const sample of samples) corpus.push(frameOf(api, version, sample as Encodable<Fields>));
    }
  }
  const values = ['a', 'b'.repeat(200)];
  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
    for (let version = 3; version <= 12; version += 1) {
      corpus.push(
        frameOf(produce, version, {
          acks: -1,
          timeoutMs: 1_000,
          topicData: [
            { name: topic, partitionData: [{ index: 0, records: recordBatch({ values, codec }) }] },
          ],
        }),
      );
    }
  }
  return corpus;
}

function frameOf<In>(
  api: { key: number; flexibleFrom: number; request: { encode(w: never, v: number, value: In): void } },
  version: number,
  body: In,
): Buffer {
  const header = { version, correlationId: 1, clientId: 'fuzz' };
  return Buffer.concat(requestFrame(api as Parameters<typeof requestFrame<In>>[0], header, body)).subarray(4);
}

function mutated(frame: Buffer, pick: (below: number) => number, corpus: readonly Buffer[]): Buffer {
  if (frame.length < 12) return frame;
  // The key and version mostly stay, or nearly all would be refused before anything is read.
  const at = pick(10) === 0 ? pick(frame.length) : 8 + pick(frame.length - 8);
  const length = 1 + pick(Math.min(16, frame.length - at));
  switch (pick(9)) {
    case 0:
      frame[at]! ^= 1 << pick(8);
      return frame;
    case 1:
      frame[at] = pick(256);
      return frame;
    case 2:
      return frame.subarray(0, Math.max(10, at));
    case 3:
      if (at + 4 <= frame.length) frame.writeInt32BE(LYING_LENGTHS[pick(LYING_LENGTHS.length)]! | 0, at);
      return frame;
    case 4:
      if (at + 2 <= frame.length)
        frame.writeInt16BE((LYING_LENGTHS[pick(LYING_LENGTHS.length)]! << 16) >> 16, at);
      return frame;
    case 5:
      return Buffer.concat([
        frame.subarray(0, at),
        LYING_VARINTS[pick(LYING_VARINTS.length)]!,
        frame.subarray(at + 1),
      ]);
    case 6:
      // A part twice: tags, elements, names.
      return Buffer.concat([frame.subarray(0, at + length), frame.subarray(at)]);
    case 7: {
      const other = corpus[pick(corpus.length)]!;
      return Buffer.concat([
        frame.subarray(0, at),
        other.subarray(Math.min(other.length, 8 + pick(other.length))),
      ]);
    }
    default:
      return withRightChecksum(frame);
  }
}

/** A batch that was changed and has the checksum of what it is now: what a checksum keeps out gets in. */
function withRightChecksum(frame: Buffer): Buffer {
  if (frame.readInt16BE(0) !== produce.key) return frame;
  const magicAt = frame.indexOf(2, 40);
  const start = magicAt - 16;
  if (magicAt < 0 || start + 61 > frame.length) return frame;
  const size = 12 + frame.readInt32BE(start + 8);
  if (size < 61 || start + size > frame.length) return frame;
  frame.writeUInt32BE(crc32c(frame.subarray(start, start + size), 21), start + 17);
  return frame;
}
