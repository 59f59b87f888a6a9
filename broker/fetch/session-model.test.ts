import assert from 'node:assert/strict';

import fc from 'fast-check';
import { expect, test } from 'vitest';

import { ZERO_UUID } from '../wire/schema.ts';
import type { AskedPartition } from './asked-partition.ts';
import { beginFetch, endFetch } from './fetch-context.ts';
import type { Told } from './fetch-session.ts';
import { SessionCache } from './session-cache.ts';

/**
 * Clients with sessions against a broker whose partitions change. The model is a client without a session, which is
 * told everything each time: one with a session must come to know the same, and be told nothing that it knows.
 */
const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_122);
const PARTITIONS = 4;
const CLIENTS = 4;
const SLOTS = 3;

interface PartitionState {
  highWatermark: number;
  logStartOffset: number;
  errorCode: number;
}

class Client {
  id = 0;
  epoch = 0;
  /** Partition to the offset it is read from; what the broker was told last. */
  readonly follows = new Map([
    [0, 0],
    [1, 0],
  ]);
  readonly told = new Map<number, number>();
  /** Partition to what the client knows of it. */
  readonly knows = new Map<number, string>();

  forget(): void {
    this.id = 0;
    this.epoch = 0;
    this.told.clear();
  }
}

class World {
  nowMs = 0;
  readonly cache = new SessionCache({ slotsMax: SLOTS, idleMs: 100, partitionsMax: 8 });
  readonly states: PartitionState[] = Array.from({ length: PARTITIONS }, () => ({
    highWatermark: 0,
    logStartOffset: 0,
    errorCode: 0,
  }));
  readonly clients = Array.from({ length: CLIENTS }, () => new Client());
  #ids = 0;

  told({ partition, fetchOffset }: AskedPartition): Told {
    const state = this.states[partition]!;
    if (state.errorCode !== 0) {
      const { errorCode } = state;
      return {
        errorCode,
        highWatermark: -1,
        logStartOffset: -1,
        hasRecords: false,
        isDiverging: false,
      };
    }
    return { ...state, hasRecords: fetchOffset < state.highWatermark, isDiverging: false };
  }

  fetch(client: Client): void {
    const full = client.epoch === 0;
    const changed = [...client.follows].filter(
      ([partition, offset]) => full || client.told.get(partition) !== offset,
    );
    const forgotten = [...client.told.keys()].filter((partition) => !client.follows.has(partition));
    for (const partition of forgotten) client.knows.delete(partition);
    const context = beginFetch(
      this.cache,
      {
        sessionId: client.id,
        sessionEpoch: client.epoch,
        byId: false,
        asked: changed.map(([partition, fetchOffset]) => askedOf(partition, fetchOffset)),
        forgotten: full ? [] : [{ topic: 't', topicId: ZERO_UUID, partitions: forgotten }],
      },
      this.nowMs,
    );
    if (context.kind === 'refused') {
      client.forget();
      // A full fetch is never refused.
      assert(!full);
      return this.fetch(client);
    }
    // The broker serves what the client follows, no more and no less, from where the client reads.
    if (context.kind !== 'sessionless') {
      assert.deepEqual(new Map(context.asked.map((one) => [one.partition, one.fetchOffset])), client.follows);
    }
    const end = endFetch(this.cache, context, false, (place) => this.told(context.asked[place]!), {
      nowMs: this.nowMs,
      random: {
        unit: () => (this.#ids += 1) / 2 ** 31,
        bytes: (length) => Buffer.alloc(length),
        uuid: () => ZERO_UUID,
      },
    });
    assert.equal(end.errorCode, 0);
    for (const [place, one] of context.asked.entries()) {
      const told = this.told(one);
      const now = `${told.errorCode} ${told.highWatermark} ${told.logStartOffset}`;
      if (end.includes(place)) {
        const isNew = told.hasRecords || told.errorCode !== 0 || client.knows.get(one.partition) !== now;
        if (context.kind === 'incremental' && client.told.has(one.partition)) assert(isNew);
        client.knows.set(one.partition, now);
      } else {
        assert.deepEqual([told.hasRecords, told.errorCode, client.knows.get(one.partition)], [false, 0, now]);
      }
    }
    client.told.clear();
    for (const [partition, offset] of client.follows) client.told.set(partition, offset);
    client.id = end.sessionId;
    client.epoch = end.sessionId === 0 ? 0 : client.epoch + 1;
    if (end.sessionId === 0) client.forget();
  }
}

function askedOf(partition: number, fetchOffset: number): AskedPartition {
  return {
    topic: 't',
    topicId: ZERO_UUID,
    partition,
    fetchOffset,
    maxBytes: 1_000,
    currentLeaderEpoch: -1,
    lastFetchedEpoch: -1,
  };
}

const partition = fc.nat(PARTITIONS - 1);
const client = fc.nat(CLIENTS - 1);
const action = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('fetch' as const), client }) },
  fc.record({ kind: fc.constant('append' as const), partition }),
  fc.record({ kind: fc.constant('delete' as const), partition }),
  fc.record({ kind: fc.constant('break' as const), partition, errorCode: fc.constantFrom(0, 3) }),
  fc.record({ kind: fc.constant('follow' as const), client, partition }),
  fc.record({ kind: fc.constant('leave' as const), client, partition }),
  fc.record({ kind: fc.constant('read' as const), client, partition }),
  fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 150 }) }),
  fc.record({ kind: fc.constant('close' as const), client }),
);
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never;

function act(world: World, one: Action): void {
  switch (one.kind) {
    case 'fetch':
      return world.fetch(world.clients[one.client]!);
    case 'append':
      world.states[one.partition]!.highWatermark += 1;
      return;
    case 'delete':
      world.states[one.partition]!.logStartOffset = world.states[one.partition]!.highWatermark;
      return;
    case 'break':
      world.states[one.partition]!.errorCode = one.errorCode;
      return;
    case 'follow':
      if (!world.clients[one.client]!.follows.has(one.partition)) {
        world.clients[one.client]!.follows.set(one.partition, 0);
      }
      return;
    case 'leave':
      world.clients[one.client]!.follows.delete(one.partition);
      return;
    case 'read':
      if (world.clients[one.client]!.follows.has(one.partition)) {
        world.clients[one.client]!.follows.set(one.partition, world.states[one.partition]!.highWatermark);
      }
      return;
    case 'time':
      world.nowMs += one.ms;
      return;
    case 'close': {
      const { id } = world.clients[one.client]!;
      if (id === 0) return;
      beginFetch(
        world.cache,
        { sessionId: id, sessionEpoch: -1, byId: false, asked: [], forgotten: [] },
        world.nowMs,
      );
      world.clients[one.client]!.forget();
    }
  }
}

test('a client with a session knows what one without would be told, and is told nothing twice', () => {
  fc.assert(
    fc.property(fc.array(action, { minLength: 40, maxLength: 120 }), (actions) => {
      const world = new World();
      for (const one of actions) {
        act(world, one);
        expect(world.cache.size).toBeLessThanOrEqual(SLOTS);
        expect(world.cache.partitions).toBeLessThanOrEqual(8);
      }
    }),
    { seed, numRuns: 300 },
  );
});
