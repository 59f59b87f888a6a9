import fc from 'fast-check';
import { expect, test } from 'vitest';

import {
  FrameAssembler,
  readRequestHeader,
  readResponse,
  requestFrame,
  responseFrame,
  skipRequestTags,
} from './frame.ts';
import { FrameMemory } from './frame-memory.ts';
import { Reader } from './reader.ts';
import { apiVersions, heartbeat } from './schemas/index.ts';
import { WireError } from './wire-error.ts';

function framed(body: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeInt32BE(body.length);
  return Buffer.concat([head, body]);
}

test('a stream cut anywhere gives the same frames', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 8, maxLength: 4000 }), { maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 20 }),
      (bodies, cuts) => {
        const stream = Buffer.concat(bodies.map((body) => framed(Buffer.from(body))));
        const assembler = new FrameAssembler({ bytesMin: 8, bytesMax: 4000 });
        const got: string[] = [];
        let at = 0;
        for (let i = 0; at < stream.length; i += 1) {
          const size = cuts[i % cuts.length]!;
          assembler.push(stream.subarray(at, at + size));
          at += size;
          for (let frame = assembler.next(); frame; frame = assembler.next()) {
            got.push(frame.toString('hex'));
          }
        }
        expect(got).toEqual(bodies.map((body) => Buffer.from(body).toString('hex')));
        expect(assembler.bufferedBytes).toBe(0);
      },
    ),
    { numRuns: 200, seed: 7 },
  );
});

test('frames stay as they were until they are given back, in whatever order that happens', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 8, maxLength: 9_000 }), { minLength: 1, maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 20 }),
      fc.array(fc.nat(5), { minLength: 1, maxLength: 20 }),
      (bodies, cuts, returns) => {
        const stream = Buffer.concat(bodies.map((body) => framed(Buffer.from(body))));
        const assembler = new FrameAssembler({ bytesMin: 8, bytesMax: 9_000 }, new FrameMemory());
        const out: Array<{ frame: Buffer; want: Buffer }> = [];
        let seen = 0;
        let at = 0;
        const giveBack = (): void => {
          const [gone] = out.splice(returns[seen % returns.length]! % out.length, 1);
          gone!.frame.fill(0xee);
          assembler.giveBack(gone!.frame);
        };
        for (let i = 0; at < stream.length; i += 1) {
          // What comes next lies where the last chunk lay.
          const chunk = Buffer.from(stream.subarray(at, at + cuts[i % cuts.length]!));
          assembler.push(chunk);
          at += chunk.length;
          chunk.fill(0xdd);
          for (let frame = assembler.next(); frame; frame = assembler.next()) {
            out.push({ frame, want: Buffer.from(bodies[seen]!) });
            seen += 1;
            if (out.length > 3) giveBack();
          }
          for (const { frame, want } of out) expect(frame.equals(want)).toBe(true);
        }
        while (out.length > 0) giveBack();
        expect(seen).toBe(bodies.length);
        expect(assembler.bufferedBytes).toBe(0);
      },
    ),
    { numRuns: 200, seed: 11 },
  );
});

test('a large length costs memory only as its bytes come', () => {
  const taken: number[] = [];
  const memory = new FrameMemory();
  const take = memory.take.bind(memory);
  memory.take = (bytes) => {
    taken.push(bytes);
    return take(bytes);
  };
  const assembler = new FrameAssembler({ bytesMin: 8, bytesMax: 100_000_000 }, memory);
  const head = Buffer.alloc(1_000);
  head.writeInt32BE(90_000_000);
  assembler.push(head);
  expect(assembler.next()).toBeUndefined();
  for (let sent = 1_000; sent < 1_000_000; sent += 1_000) assembler.push(Buffer.alloc(1_000));
  expect(assembler.bufferedBytes).toBe(1_000_000);
  expect(Math.max(...taken)).toBeLessThanOrEqual(4_000_000);
  expect(taken.length).toBeLessThan(10);
});

test('single bytes assemble, and cost no object each', () => {
  const body = Buffer.alloc(3000, 7);
  const assembler = new FrameAssembler({ bytesMin: 8, bytesMax: 4000 });
  let got: Buffer | undefined;
  for (const byte of framed(body)) {
    assembler.push(Buffer.of(byte));
    got = assembler.next();
  }
  expect(got?.equals(body)).toBe(true);
});

const lengths = [-1, 0, 7, 4001, 0x16030100];
for (const length of lengths) {
  test(`a frame length of ${length} is refused once its four bytes are there`, () => {
    const assembler = new FrameAssembler({ bytesMin: 8, bytesMax: 4000 });
    const head = Buffer.alloc(4);
    head.writeInt32BE(length);
    assembler.push(head.subarray(0, 3));
    expect(assembler.next()).toBeUndefined();
    assembler.push(head.subarray(3));
    expect(() => assembler.next()).toThrow(WireError);
  });
}

test('request and response frames read back', () => {
  for (const version of [0, 4]) {
    const body = { groupId: 'g', generationId: 3, memberId: 'm', groupInstanceId: null };
    const sent = Buffer.concat(requestFrame(heartbeat, { version, correlationId: 9, clientId: 'c' }, body));
    expect(sent.readInt32BE(0)).toBe(sent.length - 4);
    const reader = new Reader(sent.subarray(4));
    expect(readRequestHeader(reader)).toEqual({
      apiKey: 12,
      apiVersion: version,
      correlationId: 9,
      clientId: 'c',
    });
    skipRequestTags(reader, heartbeat as never, version);
    expect(heartbeat.request.decode(reader, version)).toEqual(body);

    const answer = Buffer.concat(responseFrame(heartbeat, { version, correlationId: 9 }, { errorCode: 27 }));
    expect(readResponse(heartbeat, version, answer.subarray(4))).toEqual({
      correlationId: 9,
      body: { throttleTimeMs: 0, errorCode: 27 },
    });
  }
});

test('an ApiVersions response has no header tags even in flexible versions', () => {
  const sent = Buffer.concat(
    responseFrame(apiVersions, { version: 3, correlationId: 1 }, { errorCode: 35, apiKeys: [] }),
  );
  //                                    length   correlation error apiKeys throttle tags
  expect(sent.toString('hex')).toBe('0000000c' + '00000001' + '0023' + '01' + '00000000' + '00');
});

test('client_id is a classic string in a flexible header too, behind which the tags are new', () => {
  const body = { groupId: 'g', generationId: 3, memberId: 'm', groupInstanceId: null };
  const headerOf = (version: number, clientId: string | null): string => {
    const sent = Buffer.concat(requestFrame(heartbeat, { version, correlationId: 9, clientId }, body));
    return sent.toString('hex', 4, 4 + 8 + 2 + (clientId?.length ?? 0) + 1);
  };
  //                                key  version   correlation  client_id        tags, or the body
  expect(headerOf(4, 'ab')).toBe('000c' + '0004' + '00000009' + '0002' + '6162' + '00');
  expect(headerOf(4, null)).toBe('000c' + '0004' + '00000009' + 'ffff' + '00');
  expect(headerOf(3, 'ab')).toBe('000c' + '0003' + '00000009' + '0002' + '6162' + '00');
});
