import { describe, expect, test } from 'vitest';

import { CODE } from '../wire/errors.ts';
import { ZERO_UUID } from '../wire/schema.ts';
import type { AskedPartition } from './asked-partition.ts';
import { beginFetch, endFetch, type FetchContext, type SessionRequest } from './fetch-context.ts';
import { nextEpoch, type Told } from './fetch-session.ts';
import { SessionCache } from './session-cache.ts';

const QUIET: Told = {
  errorCode: 0,
  highWatermark: 10,
  logStartOffset: 0,
  hasRecords: false,
  isDiverging: false,
};
let ids = 0;
const random = {
  unit: () => (ids += 1) / 2 ** 31,
  bytes: (length: number) => Buffer.alloc(length),
  uuid: () => ZERO_UUID,
};

function asked(topic: string, partition = 0, fetchOffset = 0): AskedPartition {
  return {
    topic,
    topicId: ZERO_UUID,
    partition,
    fetchOffset,
    maxBytes: 1_000,
    currentLeaderEpoch: -1,
    lastFetchedEpoch: -1,
  };
}

function request(given: Partial<SessionRequest>): SessionRequest {
  return { sessionId: 0, sessionEpoch: 0, byId: false, asked: [], forgotten: [], ...given };
}

/** One whole fetch: the session that it ended with, and the topics that the answer names. */
function run(
  cache: SessionCache,
  given: Partial<SessionRequest>,
  told: (one: AskedPartition) => Told = () => QUIET,
  nowMs = 0,
): { errorCode: number; sessionId: number; topics: string[]; served: string[] } {
  const context = beginFetch(cache, request(given), nowMs);
  if (context.kind === 'refused') {
    return { errorCode: context.errorCode, sessionId: 0, topics: [], served: [] };
  }
  const end = finish(cache, context, told, nowMs);
  const served = context.asked.map(({ topic }) => topic);
  return { ...end, topics: served.filter((_, place) => end.includes(place)), served };
}

function finish(
  cache: SessionCache,
  context: Exclude<FetchContext, { kind: 'refused' }>,
  told: (one: AskedPartition) => Told = () => QUIET,
  nowMs = 0,
): ReturnType<typeof endFetch> {
  return endFetch(cache, context, false, (place) => told(context.asked[place]!), { nowMs, random });
}

function begun(cache: SessionCache, topics: readonly string[], nowMs = 0): number {
  return run(cache, { asked: topics.map((topic) => asked(topic)) }, undefined, nowMs).sessionId;
}

test('id 0 and epoch -1: no session; id 0 and epoch 0: a new one', () => {
  const cache = new SessionCache();
  expect(run(cache, { sessionEpoch: -1, asked: [asked('a')] })).toMatchObject({
    sessionId: 0,
    topics: ['a'],
  });
  expect(cache.size).toBe(0);
  const first = run(cache, { asked: [asked('a'), asked('b')] });
  expect(first.topics).toEqual(['a', 'b']);
  expect(first.sessionId).toBeGreaterThan(0);
  expect([cache.size, cache.partitions]).toEqual([1, 2]);
});

test('id n and epoch -1 closes the session; id n and epoch 0 closes it and makes a new one', () => {
  const cache = new SessionCache();
  const id = begun(cache, ['a']);
  expect(run(cache, { sessionId: id, sessionEpoch: -1 })).toMatchObject({ errorCode: 0, sessionId: 0 });
  expect(cache.size).toBe(0);
  const old = begun(cache, ['a']);
  const { sessionId } = run(cache, { sessionId: old, asked: [asked('b')] });
  expect(sessionId).not.toBe(old);
  expect([cache.get(old), cache.size]).toEqual([undefined, 1]);
});

describe('refused', () => {
  const cases: Array<[string, keyof typeof CODE, (id: number) => Partial<SessionRequest>]> = [
    [
      'an unknown session',
      'FETCH_SESSION_ID_NOT_FOUND',
      (id) => ({ sessionId: id + 1_000_000, sessionEpoch: 1 }),
    ],
    ['an incremental fetch without a session', 'FETCH_SESSION_ID_NOT_FOUND', () => ({ sessionEpoch: 1 })],
    ['an epoch that is ahead', 'INVALID_FETCH_SESSION_EPOCH', (id) => ({ sessionId: id, sessionEpoch: 2 })],
    [
      'topic ids in a session of names',
      'FETCH_SESSION_TOPIC_ID_ERROR',
      (id) => ({ sessionId: id, sessionEpoch: 1, byId: true }),
    ],
  ];
  for (const [what, code, given] of cases) {
    test(`${what}: ${code}, and the session goes on`, () => {
      const cache = new SessionCache();
      const id = begun(cache, ['a']);
      expect(run(cache, given(id)).errorCode).toBe(CODE[code]);
      expect(run(cache, { sessionId: id, sessionEpoch: 1 }).errorCode).toBe(0);
    });
  }

  test('an epoch that was used: INVALID_FETCH_SESSION_EPOCH', () => {
    const cache = new SessionCache();
    const sessionId = begun(cache, ['a']);
    expect(run(cache, { sessionId, sessionEpoch: 1 }).errorCode).toBe(0);
    expect(run(cache, { sessionId, sessionEpoch: 1 }).errorCode).toBe(CODE.INVALID_FETCH_SESSION_EPOCH);
  });

  test('an answer that another request of the session overtook: INVALID_FETCH_SESSION_EPOCH', () => {
    const cache = new SessionCache();
    const sessionId = begun(cache, ['a']);
    const parked = beginFetch(cache, request({ sessionId, sessionEpoch: 1 }), 0);
    expect(run(cache, { sessionId, sessionEpoch: 2 }).errorCode).toBe(0);
    const end = finish(cache, parked as Exclude<FetchContext, { kind: 'refused' }>);
    expect(end).toMatchObject({ errorCode: CODE.INVALID_FETCH_SESSION_EPOCH, sessionId });
  });
});

test('the epoch wraps from Int.MAX to 1', () => {
  expect([nextEpoch(1), nextEpoch(2 ** 31 - 2), nextEpoch(2 ** 31 - 1)]).toEqual([2, 2 ** 31 - 1, 1]);
  const cache = new SessionCache();
  const sessionId = begun(cache, ['a']);
  cache.get(sessionId)!.epoch = 2 ** 31 - 1;
  expect(run(cache, { sessionId, sessionEpoch: 2 ** 31 - 1 }).errorCode).toBe(0);
  expect(run(cache, { sessionId, sessionEpoch: 1 }).errorCode).toBe(0);
});

describe('an incremental answer', () => {
  const cases: Array<[string, Partial<Told>, boolean]> = [
    ['nothing new', {}, false],
    ['records', { hasRecords: true }, true],
    ['an error', { errorCode: 3, highWatermark: -1, logStartOffset: -1 }, true],
    ['a changed high watermark', { highWatermark: 11 }, true],
    ['a changed start of the log', { logStartOffset: 4 }, true],
    ['a diverging epoch', { isDiverging: true }, true],
  ];
  for (const [what, news, included] of cases) {
    test(`${what}: the partition is ${included ? 'in it' : 'left out'}`, () => {
      const cache = new SessionCache();
      const sessionId = begun(cache, ['a', 'b']);
      const { topics } = run(cache, { sessionId, sessionEpoch: 1 }, ({ topic }) =>
        topic === 'b' ? { ...QUIET, ...news } : QUIET,
      );
      expect(topics).toEqual(included ? ['b'] : []);
    });
  }

  test('a partition whose error went away is in it, though nothing else changed', () => {
    const cache = new SessionCache();
    const sessionId = begun(cache, ['a']);
    const broken = { ...QUIET, errorCode: 3, highWatermark: -1, logStartOffset: -1 };
    expect(run(cache, { sessionId, sessionEpoch: 1 }, () => broken).topics).toEqual(['a']);
    expect(run(cache, { sessionId, sessionEpoch: 2 }).topics).toEqual(['a']);
    expect(run(cache, { sessionId, sessionEpoch: 3 }).topics).toEqual([]);
  });

  test('partitions can be added, asked for anew and forgotten', () => {
    const cache = new SessionCache();
    const sessionId = begun(cache, ['a', 'b']);
    const added = run(cache, { sessionId, sessionEpoch: 1, asked: [asked('c')] });
    expect([added.served, added.topics]).toEqual([['a', 'b', 'c'], ['c']]);
    const offsets: number[] = [];
    run(cache, { sessionId, sessionEpoch: 2, asked: [asked('a', 0, 7)] }, (one) => {
      offsets.push(one.fetchOffset);
      return QUIET;
    });
    expect(offsets).toEqual([7, 0, 0]);
    const forgotten = [{ topic: 'a', topicId: ZERO_UUID, partitions: [0, 9] }];
    expect(run(cache, { sessionId, sessionEpoch: 3, forgotten }).served).toEqual(['b', 'c']);
  });

  test('who returned data goes to the end, so that nobody starves', () => {
    const cache = new SessionCache();
    const sessionId = begun(cache, ['a', 'b', 'c']);
    const giving = (topics: string): ((one: AskedPartition) => Told) => {
      return ({ topic }) => ({ ...QUIET, hasRecords: topics.includes(topic) });
    };
    expect(run(cache, { sessionId, sessionEpoch: 1 }, giving('a')).served).toEqual(['a', 'b', 'c']);
    expect(run(cache, { sessionId, sessionEpoch: 2 }, giving('bc')).served).toEqual(['b', 'c', 'a']);
    expect(run(cache, { sessionId, sessionEpoch: 3 }).served).toEqual(['a', 'b', 'c']);
  });

  test('a session that follows nothing any more ends', () => {
    const cache = new SessionCache();
    const sessionId = begun(cache, ['a']);
    const forgotten = [{ topic: 'a', topicId: ZERO_UUID, partitions: [0] }];
    expect(run(cache, { sessionId, sessionEpoch: 1, forgotten })).toMatchObject({
      errorCode: 0,
      sessionId: 0,
    });
    expect([cache.size, cache.partitions]).toEqual([0, 0]);
  });
});

describe('when all slots are taken', () => {
  const bounds = { slotsMax: 2, idleMs: 100, partitionsMax: 10 };

  test('a session unused for two minutes makes room, the longest unused first', () => {
    const cache = new SessionCache(bounds);
    const [old, young] = [begun(cache, ['a', 'b', 'c'], 0), begun(cache, ['a'], 50)];
    expect(begun(cache, ['x'], 100)).toBe(0);
    expect(begun(cache, ['x'], 101)).toBeGreaterThan(0);
    expect([cache.get(old), cache.get(young) !== undefined, cache.evicted]).toEqual([undefined, true, 1]);
  });

  test('one in use makes room for a larger one only, and only when it is two minutes old', () => {
    const cache = new SessionCache(bounds);
    const [small, large] = [begun(cache, ['a', 'b']), begun(cache, ['a', 'b', 'c'])];
    const touch = (epoch: number, nowMs: number): void => {
      for (const sessionId of [small, large]) {
        run(cache, { sessionId, sessionEpoch: epoch }, undefined, nowMs);
      }
    };
    touch(1, 90);
    expect(begun(cache, ['v', 'w', 'x', 'y'], 95)).toBe(0);
    touch(2, 120);
    expect(begun(cache, ['x', 'y'], 130)).toBe(0);
    expect(begun(cache, ['x', 'y', 'z'], 130)).toBeGreaterThan(0);
    expect([cache.get(small), cache.get(large) !== undefined]).toEqual([undefined, true]);
  });

  test('the partitions of all sessions together are bounded: who wants more goes on without a session', () => {
    const cache = new SessionCache(bounds);
    const sessionId = begun(cache, ['a', 'b', 'c', 'd', 'e', 'f']);
    expect(begun(cache, ['a', 'b', 'c', 'd', 'e'])).toBe(0);
    const more = ['g', 'h', 'i', 'j', 'k'].map((topic) => asked(topic));
    expect(run(cache, { sessionId, sessionEpoch: 1, asked: more }).errorCode).toBe(
      CODE.FETCH_SESSION_ID_NOT_FOUND,
    );
    expect([cache.size, cache.partitions]).toEqual([0, 0]);
  });
});
