import { CompressionCodecs } from 'kafkajs';
import KafkajsBroker from 'kafkajs/src/broker/index.js';
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import { expect, test, vi } from 'vitest';

import { patchKafkajs } from './kafkajs-patches.ts';

test('what is patched is there', () => {
  expect(KafkajsBroker.prototype.fetch).toBeTypeOf('function');
  expect(RequestQueue.prototype.scheduleCheckPendingRequests).toBeTypeOf('function');
  expect(ConsumerGroup.prototype.joinAndSync).toBeTypeOf('function');
  expect(ConsumerGroup.prototype.leave).toBeTypeOf('function');
  expect(ConsumerGroup.prototype.recoverFromOffsetOutOfRange).toBeTypeOf('function');
});

test('an idle connection sets no timer, one with waiting requests does', () => {
  patchKafkajs();
  vi.useFakeTimers();
  try {
    const queue = Object.assign(Object.create(RequestQueue.prototype) as RequestQueue, {
      pending: [] as unknown[],
      throttledUntil: -1,
      throttleCheckTimeoutId: null,
    });
    queue.scheduleCheckPendingRequests();
    expect(vi.getTimerCount()).toBe(0);
    queue.pending.push({});
    queue.scheduleCheckPendingRequests();
    expect(vi.getTimerCount()).toBe(1);
  } finally {
    vi.useRealTimers();
  }
});

test.each([1, 2, 3, 4] as const)('codec %d goes both ways', async (id) => {
  patchKafkajs();
  const codec = CompressionCodecs[id]() as {
    compress(encoder: { buffer: Buffer }): Promise<Buffer>;
    decompress(data: Buffer): Promise<Buffer>;
  };
  const data = Buffer.from('the same line again and again '.repeat(100));
  const packed = await codec.compress({ buffer: data });
  expect(packed.length).toBeLessThan(data.length / 2);
  expect((await codec.decompress(packed)).equals(data)).toBe(true);
});
