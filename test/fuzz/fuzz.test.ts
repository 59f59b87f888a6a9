import { afterAll, beforeAll, expect, test } from 'vitest';

import { HANDLERS } from '../../broker/handlers/index.ts';
import { batchesOf, recordsOf } from '../../broker/state/record-batch.ts';
import { apiVersions } from '../../broker/wire/schemas/index.ts';
import { WireError } from '../../broker/wire/wire-error.ts';
import { RawClient } from '../support/raw-client.ts';
import { recordBatch } from '../support/record-batch.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { startTestBroker } from '../support/test-broker.ts';
import { type FuzzBroker, MEMORY_RISE_MAX, startFuzzBroker, WORK_MS_MAX } from './fuzz-broker.ts';
import { fuzzer } from './fuzz-frames.ts';
import { fuzzFrames } from './fuzz-run.ts';

const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_122);
/** Some five seconds on a busy machine; the slow suite gives 200,000. */
const RUNS = 10_000;

let broker: FuzzBroker;
beforeAll(async () => {
  broker = await startFuzzBroker();
});
afterAll(() => broker?.stop());

test(`${RUNS} broken frames of all APIs: nothing is uncaught, none costs much time or more memory than it brought`, async () => {
  const { runs } = await fuzzFrames(broker, seed, RUNS);
  expect(runs).toBe(RUNS);
}, 60_000);

test('a frame of one repeated byte makes no API allocate or work much', async () => {
  for (const { api, served } of HANDLERS) {
    const version = served[1];
    for (const byte of [0, 1, 2, 0x7f, 0xff]) {
      const frame = Buffer.alloc(64 * 1024, byte);
      frame.writeInt16BE(api.key, 0);
      frame.writeInt16BE(version, 2);
      frame.writeInt16BE(-1, 8);
      frame[10] = 0;
      const { workMs, memoryRise } = broker.give(frame);
      expect({
        api: api.name,
        byte,
        isSlow: workMs > WORK_MS_MAX,
        isLarge: memoryRise > MEMORY_RISE_MAX,
      }).toEqual({
        api: api.name,
        byte,
        isSlow: false,
        isLarge: false,
      });
    }
    await broker.settle();
  }
  expect(broker.errors).toEqual([]);
});

test('broken frames in pieces through sockets: each connection is answered or closed, and an honest one is served', async () => {
  const real = await startTestBroker({ autoCreateTopics: false });
  const { frame } = fuzzer(HANDLERS, seed + 1, 'known');
  const random = seededRandom(seed);
  for (let n = 0; n < 300; n += 1) {
    const client = await RawClient.connect(real.port);
    const bytes = frame(n);
    const framed = Buffer.concat([Buffer.alloc(4), bytes]);
    framed.writeInt32BE(bytes.length);
    const cut = Math.floor(random() * framed.length);
    client.write(framed.subarray(0, cut));
    client.write(framed.subarray(cut));
    // Ends the connection, whatever became of the frame; what is parked goes with it.
    client.socket.end();
    await client.closed;
  }
  const honest = await RawClient.connect(real.port);
  expect((await honest.call(apiVersions, 0, {})).errorCode).toBe(0);
  honest.close();
  expect(real.lines.filter(({ level }) => level === 'error')).toEqual([]);
  await real.stop();
});

test('broken record batches are read to an end or refused, never worse', () => {
  const random = seededRandom(seed);
  const whole = recordBatch({ values: ['a', 'bb', 'c'.repeat(300)] });
  let read = 0;
  for (let n = 0; n < 20_000; n += 1) {
    const bytes = Buffer.from(
      whole.subarray(0, random() < 0.2 ? Math.floor(random() * whole.length) : undefined),
    );
    for (let flips = Math.floor(random() * 4); flips > 0; flips -= 1) {
      bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    }
    try {
      for (const batch of batchesOf(bytes)) read += recordsOf(batch).length;
    } catch (error) {
      if (!(error instanceof WireError))
        throw new Error(`seed ${seed}: ${bytes.toString('hex')}`, { cause: error });
    }
  }
  expect(read).toBeGreaterThan(0);
});
