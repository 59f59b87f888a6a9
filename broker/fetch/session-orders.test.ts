/**
 * Every order of five steps of one client with a fetch session, its partitions, and another client that takes the
 * only slot. The model knows what the client was told, and what a request with such an id and epoch has to mean.
 */
import assert from 'node:assert/strict';

import { test } from 'vitest';

import { CODE } from '../wire/errors.ts';
import { ZERO_UUID } from '../wire/schema.ts';
import type { AskedPartition } from './asked-partition.ts';
import { beginFetch, endFetch } from './fetch-context.ts';
import type { Told } from './fetch-session.ts';
import { SessionCache } from './session-cache.ts';

const IDLE_MS = 100;
const STEPS = [
  'create',
  'ask nothing',
  'read on',
  'follow one more',
  'forget one',
  'old epoch',
  'epoch to come',
  'close',
  'append',
  'delete records',
  'break or mend',
  'evict',
] as const;
type OneStep = (typeof STEPS)[number];
type Place = readonly [partition: number, offset: number];

const ALL: readonly Place[] = [
  [0, 0],
  [1, 0],
];
const ANY: Omit<AskedPartition, 'partition' | 'fetchOffset'> = {
  topic: 't',
  topicId: ZERO_UUID,
  maxBytes: 1_000,
  currentLeaderEpoch: -1,
  lastFetchedEpoch: -1,
};
const NAMES = new Map<number, string>([
  [CODE.FETCH_SESSION_ID_NOT_FOUND, 'FETCH_SESSION_ID_NOT_FOUND'],
  [CODE.INVALID_FETCH_SESSION_EPOCH, 'INVALID_FETCH_SESSION_EPOCH'],
]);

/** The last session that began, by what the client did and was told. */
interface Model {
  id: number;
  /** Neither closed, nor left without partitions, nor lost to another client. */
  isThere: boolean;
  epoch: number;
  /** Partition to the offset that it is read from, in the order in which they are to be served. */
  readonly follows: Map<number, number>;
  /** Partition to what the client was told of it. */
  readonly knows: Map<number, string>;
}

class World {
  readonly cache = new SessionCache({ slotsMax: 1, idleMs: IDLE_MS, partitionsMax: 10 });
  readonly #ends = [1, 1];
  readonly #starts = [0, 0];
  #isBroken = false;
  #nowMs = 0;
  #model: Model = { id: 0, isThere: false, epoch: 1, follows: new Map(), knows: new Map() };
  #ids = 0;

  take(one: OneStep): void {
    const model = this.#model;
    switch (one) {
      case 'create':
        return this.#create();
      case 'ask nothing':
        return this.#fetch(model.epoch, [], []);
      case 'read on':
        return this.#fetch(model.epoch, [[0, this.#ends[0]!]], []);
      case 'follow one more':
        return this.#fetch(model.epoch, [[1, 0]], []);
      case 'forget one':
        return this.#fetch(model.epoch, [], [model.follows.has(1) ? 1 : 0]);
      case 'old epoch':
        return this.#fetch(model.epoch === 1 ? 7 : model.epoch - 1, [[0, 0]], [1]);
      case 'epoch to come':
        return this.#fetch(model.epoch + 1, [[0, 0]], [1]);
      case 'close': {
        const answer = this.#ask(model.id, -1, [[0, 0]], []);
        model.isThere = false;
        return assert.equal(answer.text, 'without a session: 0');
      }
      case 'append':
        this.#ends[0]! += 1;
        return;
      case 'delete records':
        this.#starts[0] = this.#ends[0]!;
        return;
      case 'break or mend':
        this.#isBroken = !this.#isBroken;
        return;
      case 'evict':
        return this.#evict();
    }
  }

  #create(): void {
    const answer = this.#ask(this.#model.id, 0, ALL, []);
    assert.notEqual(answer.sessionId, this.#model.id);
    assert.equal(answer.text, 'in a session: 0 1');
    const knows = new Map(
      ALL.map(([partition, offset]) => [partition, spelled(this.#told(partition, offset))]),
    );
    this.#model = { id: answer.sessionId, isThere: true, epoch: 1, follows: new Map(ALL), knows };
  }

  #fetch(epoch: number, asked: readonly Place[], forgotten: readonly number[]): void {
    const model = this.#model;
    const { text } = this.#ask(model.id, epoch, asked, forgotten);
    if (!model.isThere) return assert.equal(text, 'FETCH_SESSION_ID_NOT_FOUND');
    if (epoch !== model.epoch) return assert.equal(text, 'INVALID_FETCH_SESSION_EPOCH');
    for (const [partition, offset] of asked) model.follows.set(partition, offset);
    for (const partition of forgotten) {
      model.follows.delete(partition);
      model.knows.delete(partition);
    }
    if (model.follows.size === 0) {
      model.isThere = false;
      return assert.equal(text, 'without a session: ');
    }
    model.epoch += 1;
    const news: number[] = [];
    const served = [...model.follows];
    for (const [partition, offset] of served) {
      const told = this.#told(partition, offset);
      const isNews = told.hasRecords || told.errorCode !== 0 || model.knows.get(partition) !== spelled(told);
      if (isNews) news.push(partition);
      model.knows.set(partition, spelled(told));
      if (!told.hasRecords) continue;
      // The others come first the next time.
      model.follows.delete(partition);
      model.follows.set(partition, offset);
    }
    assert.equal(text, `in a session: ${news.join(' ')}`);
  }

  /** Another client gets the only slot when that has not been used for long, and gives it back. */
  #evict(): void {
    const early = this.#ask(0, 0, [[0, 0]], []);
    assert.equal(early.sessionId === 0, this.#model.isThere);
    this.#ask(early.sessionId, -1, [], []);
    this.#nowMs += IDLE_MS + 1;
    const late = this.#ask(0, 0, [[0, 0]], []);
    assert.notEqual(late.sessionId, 0);
    this.#ask(late.sessionId, -1, [], []);
    this.#model.isThere = false;
  }

  #ask(sessionId: number, sessionEpoch: number, asked: readonly Place[], forgotten: readonly number[]) {
    const context = beginFetch(
      this.cache,
      {
        sessionId,
        sessionEpoch,
        byId: false,
        asked: asked.map(([partition, fetchOffset]) => ({ ...ANY, partition, fetchOffset })),
        forgotten: [{ topic: 't', topicId: ZERO_UUID, partitions: forgotten }],
      },
      this.#nowMs,
    );
    if (context.kind === 'refused') return { sessionId: 0, text: NAMES.get(context.errorCode) };
    const toldAt = (place: number): Told => {
      const { partition, fetchOffset } = context.asked[place]!;
      return this.#told(partition, fetchOffset);
    };
    const unit = (): number => (this.#ids += 1) / 2 ** 31;
    const random = { unit, bytes: (length: number) => Buffer.alloc(length), uuid: () => ZERO_UUID };
    const end = endFetch(this.cache, context, false, toldAt, { nowMs: this.#nowMs, random });
    assert.equal(end.errorCode, CODE.NONE);
    const included = context.asked.flatMap((one, place) => (end.includes(place) ? [one.partition] : []));
    const where = end.sessionId === 0 ? 'without a session' : 'in a session';
    return { sessionId: end.sessionId, text: `${where}: ${included.join(' ')}` };
  }

  #told(partition: number, offset: number): Told {
    const isBroken = partition === 1 && this.#isBroken;
    const highWatermark = isBroken ? -1 : this.#ends[partition]!;
    return {
      errorCode: isBroken ? CODE.UNKNOWN_TOPIC_OR_PARTITION : CODE.NONE,
      highWatermark,
      logStartOffset: isBroken ? -1 : this.#starts[partition]!,
      hasRecords: offset < highWatermark,
      isDiverging: false,
    };
  }
}

function spelled({ errorCode, highWatermark, logStartOffset }: Told): string {
  return `${errorCode} ${highWatermark} ${logStartOffset}`;
}

function isAsking(place: number): boolean {
  return place >= STEPS.indexOf('ask nothing') && place <= STEPS.indexOf('close');
}

test('every order of five steps of a session is answered as what the client was told before demands', () => {
  for (let order = 0; order < STEPS.length ** 5; order += 1) {
    // Asking before there is anything, and changing what nobody asks for, add nothing to shorter orders.
    if (isAsking(order % STEPS.length) || !isAsking(Math.floor(order / STEPS.length ** 4))) continue;
    const world = new World();
    const some: OneStep[] = [];
    let rest = order;
    try {
      for (let i = 0; i < 5; i += 1) {
        some.push(STEPS[rest % STEPS.length]!);
        rest = Math.floor(rest / STEPS.length);
        world.take(some.at(-1)!);
        assert(world.cache.size <= 1 && world.cache.partitions <= 2);
      }
    } catch (cause) {
      throw new Error(`${some.join(', ')}: ${(cause as Error).message}`, { cause });
    }
  }
});
