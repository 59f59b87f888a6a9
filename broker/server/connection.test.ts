import { expect, test } from 'vitest';

import type { SocketEvents } from '../host/net.ts';
import { ConnectionAuthentication } from '../security/connection-authentication.ts';
import { requestFrame } from '../wire/frame.ts';
import { FrameMemory } from '../wire/frame-memory.ts';
import { apiVersions } from '../wire/schemas/index.ts';
import { Connection } from './connection.ts';
import type { CloseReason } from './connection-owner.ts';
import { MemoryBudget } from './memory-budget.ts';

const IDLE_MS = 600_000;

/** A connection over a socket that takes nothing unless told to, with a clock that is set. */
function world({ answerBytes = 10, takes = true, fails = false } = {}) {
  const clock = { nowMs: () => now.ms, nowNs: () => 0n, monotonicMs: () => now.ms };
  const now = { ms: 0 };
  const closed: CloseReason[] = [];
  let events: SocketEvents;
  const written: Array<() => void> = [];
  const ended: string[] = [];
  const connection = new Connection(
    {
      remote: { host: '127.0.0.1', port: 1 },
      local: { host: '127.0.0.1', port: 2 },
      subject: undefined,
      start: (given) => void (events = given),
      write: (_chunks, done) => {
        if (done) written.push(done);
        return takes;
      },
      pause() {},
      resume() {},
      end() {},
      destroy() {},
    },
    {
      nodeId: 1,
      listener: { name: 'PLAINTEXT', host: 'localhost', port: 2, protocol: 'PLAINTEXT' },
      advertised: { host: 'localhost', port: 2 },
      authentication: new ConnectionAuthentication(undefined, clock),
    },
    {
      dispatch: (_frame, _connection, { whenSent }) => {
        whenSent(() => void ended.push('sent'));
        return fails ? Promise.reject(new Error('no answer')) : Promise.resolve([Buffer.alloc(answerBytes)]);
      },
      clock,
      timers: {
        after: () => () => {},
        every: () => () => {},
        soon: () => {},
        sleep: () => Promise.resolve(),
      },
      log: { debug() {}, info() {}, warn() {}, error() {} },
      requestMemory: new MemoryBudget(1_000_000),
      frameMemory: new FrameMemory(),
      answerMemory: new MemoryBudget(1_000_000),
      firstRequestMs: 10_000,
      firstAuthenticationMs: 10_000,
      requestReceiveMs: 30_000,
      answerSendMs: 60_000,
      requestBytesMax: 1_000_000,
      unauthenticatedRequestBytesMax: 1_000_000,
      buffer: () => true,
      closed: (_gone, reason) => void closed.push(reason),
    },
  );
  const at = (ms: number): CloseReason | undefined => {
    now.ms = ms;
    return connection.overdue(ms, IDLE_MS);
  };
  const receive = (bytes: Buffer): void => events.data(bytes);
  return { connection, closed, written, ended, now, at, receive };
}

const request = Buffer.concat(
  requestFrame(apiVersions, { version: 0, correlationId: 1, clientId: null }, {}),
);
const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

test('the first request has to be there ten seconds after connecting', () => {
  const { at } = world();
  expect(at(10_000)).toBeUndefined();
  expect(at(10_001)).toBe('slow-sender');
});

test('a request has thirty seconds from its first byte, unless four kilobytes a second keep coming', async () => {
  const { at, now, receive } = world();
  receive(request);
  await settled();
  expect(at(300_000)).toBeUndefined();
  receive(Buffer.from('000c3500', 'hex'));
  expect(at(330_000)).toBeUndefined();
  expect(at(330_001)).toBe('slow-sender');
  receive(Buffer.alloc(200_000));
  expect(at(330_001)).toBeUndefined();
  now.ms = 400_000;
  expect(at(400_000)).toBe('slow-sender');
});

test('half a request that waits behind one at work is not late', async () => {
  const { at, receive } = world({ takes: false });
  receive(Buffer.concat([request, request.subarray(0, 6)]));
  await settled();
  expect(at(50_000)).toBeUndefined();
});

test('an answer has to be taken in a minute, and a large one at sixteen kilobytes a second more', async () => {
  for (const { answerBytes, dueMs } of [
    { answerBytes: 16 * 1024, dueMs: 61_000 },
    { answerBytes: 160 * 1024, dueMs: 70_000 },
  ]) {
    const { at, receive } = world({ answerBytes, takes: false });
    receive(request);
    await settled();
    expect(at(dueMs)).toBeUndefined();
    expect(at(dueMs + 1)).toBe('slow-reader');
  }
});

test('a connection without requests is idle after its time', async () => {
  const { at, receive } = world();
  receive(request);
  await settled();
  expect(at(IDLE_MS)).toBeUndefined();
  expect(at(IDLE_MS + 1)).toBe('idle');
});

test('what an answer borrows is given back when the system has taken it, or when there is none', async () => {
  for (const takes of [true, false]) {
    const { written, ended, receive } = world({ takes });
    receive(request);
    await settled();
    expect(ended).toEqual([]);
    for (const done of written) done();
    expect(ended).toEqual(['sent']);
  }
  const { ended, closed, receive } = world({ fails: true });
  receive(request);
  await settled();
  expect({ ended, closed }).toEqual({ ended: ['sent'], closed: ['internal'] });
});
