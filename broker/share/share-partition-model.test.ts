import assert from 'node:assert/strict';

import fc from 'fast-check';
import { expect, test } from 'vitest';

import { acquire } from './acquire.ts';
import { acknowledge, ACKNOWLEDGE, deadLettered, expireLocks, releaseMember, stored } from './settle.ts';
import {
  archivingRanges,
  type DeliveryRules,
  newSharePartition,
  nextFetchOffset,
  recordsInFlight,
  restoredPartition,
  type ShareEffect,
  type SharePartition,
  snapshotOf,
  trimmed,
} from './share-partition.ts';

const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_122);
const RECORDS = 12;
const RULES: DeliveryRules = {
  deliveryCountLimit: 2,
  lockDurationMs: 10,
  recordLocksMax: 8,
  deadLetters: true,
};

/** One record, as naively as can be. */
interface Naive {
  state: 'new' | 'available' | 'acquired' | 'acknowledged' | 'archiving' | 'archived';
  count: number;
  owner: string;
  until: number;
  /** What it becomes once the write of this ticket is durable. */
  settling?: { ticket: number; state: Naive['state']; count: number } | undefined;
}

/** The same partition, record by record, and what a disk would hold. */
class Model {
  readonly records: Naive[] = Array.from({ length: RECORDS }, () => ({
    state: 'new',
    count: 0,
    owner: '',
    until: 0,
  }));
  start = 0;

  finished(): void {
    while (this.start < RECORDS && /acknowledged|archived/.test(this.records[this.start]!.state))
      this.start += 1;
  }

  text(): string[] {
    return this.records
      .slice(this.start)
      .map(({ state, count, owner, settling }) =>
        [state === 'new' ? 'available' : state, count, owner, settling ? settling.state : ''].join(),
      );
  }
}

/** The machine under test, with the model beside it. */
class World {
  partition: SharePartition = newSharePartition(0);
  readonly model = new Model();
  now = 0;
  /** Tickets whose write has not ended, oldest first. */
  readonly writing: Array<Extract<ShareEffect, { kind: 'store' }>> = [];
  /** What a restart would read: the last durable word about each offset. */
  readonly acknowledgedOnDisk = new Set<number>();

  take(effects: readonly ShareEffect[]): void {
    for (const effect of effects) if (effect.kind === 'store') this.writing.push(effect);
  }

  acquire(member: string, recordsMax: number, isStrict: boolean): void {
    const from = nextFetchOffset(this.partition, RULES.recordLocksMax);
    const { records } = this.model;
    const inFlight = records.filter(
      ({ state }, i) =>
        i >= this.model.start && i < this.partition.endOffset && !/^(acknowledged|archived)$/.test(state),
    ).length;
    assert.equal(recordsInFlight(this.partition), inFlight);
    const free = records.findIndex(
      ({ state, settling }, i) =>
        i >= this.model.start && i < this.partition.endOffset && isFree(state) && !settling,
    );
    assert.equal(
      from,
      free >= 0 ? free : inFlight < RULES.recordLocksMax ? this.partition.endOffset : undefined,
    );
    if (from === undefined || from >= RECORDS) return;
    // Batches of three records; the one from 3 to 5 is a marker's, or was compacted.
    const batches = [0, 6, 9].map((first) => ({ first, last: first + 2 })).filter(({ last }) => last >= from);
    const { partition, acquired } = acquire(
      this.partition,
      { memberId: member, from, to: RECORDS, batches, recordsMax, batchSize: 3, isStrict },
      RULES,
      this.now,
    );
    this.partition = partition;
    let count = 0;
    for (const { first, last, deliveryCount } of acquired) {
      for (let offset = first; offset <= last; offset += 1) {
        const record = records[offset]!;
        assert.ok(isFree(record.state) && !record.settling && offset >= this.model.start);
        assert.equal(deliveryCount, record.count + 1);
        assert.equal(this.acknowledgedOnDisk.has(offset), false);
        Object.assign(record, {
          state: 'acquired',
          count: record.count + 1,
          owner: member,
          until: this.now + 10,
        });
        count += 1;
      }
    }
    if (isStrict) assert.ok(count <= recordsMax);
    else assert.ok(count < recordsMax + 3);
    // What was passed over is done with, without a word from anybody.
    for (let offset = 3; offset < Math.min(6, partition.endOffset); offset += 1) {
      const record = records[offset]!;
      if (isFree(record.state)) record.state = 'archived';
    }
    this.model.finished();
  }

  acknowledge(member: string, first: number, types: number[]): void {
    const last = first + types.length - 1;
    const outcome = acknowledge(this.partition, member, [{ first, last, types }], RULES, this.now);
    const touched = types
      .map((type, i) => ({ type, offset: first + i }))
      .filter(({ offset }) => offset >= this.model.start);
    const isPast = touched.some(({ offset }) => offset >= this.partition.endOffset);
    const isRefused = touched.some(({ offset }) => {
      const record = this.model.records[offset];
      return !record || record.state !== 'acquired' || record.owner !== member || record.settling;
    });
    assert.equal('errorCode' in outcome, isPast || isRefused);
    if ('errorCode' in outcome) return;
    const ticket = this.partition.nextTicket;
    for (const { type, offset } of touched) {
      const record = this.model.records[offset]!;
      if (type === ACKNOWLEDGE.renew) record.until = this.now + 10;
      else record.settling = { ticket, ...this.outcome(record, type) };
    }
    this.partition = outcome.partition;
    this.take(outcome.effects);
  }

  outcome({ count }: Naive, type: number): { state: Naive['state']; count: number } {
    if (type === ACKNOWLEDGE.accept) return { state: 'acknowledged', count };
    if (type === ACKNOWLEDGE.gap) return { state: 'archived', count };
    const isGivenUp = type === ACKNOWLEDGE.reject || count >= RULES.deliveryCountLimit;
    return { state: isGivenUp ? 'archiving' : 'available', count };
  }

  letGo(
    isMeant: (record: Naive) => boolean,
    outcome: (record: Naive) => { state: Naive['state']; count: number },
  ): void {
    const ticket = this.partition.nextTicket;
    for (const [offset, record] of this.model.records.entries()) {
      if (offset < this.model.start || record.state !== 'acquired' || record.settling || !isMeant(record))
        continue;
      record.settling = { ticket, ...outcome(record) };
    }
  }

  tick(ms: number): void {
    this.now += ms;
    this.letGo(
      ({ until }) => until <= this.now,
      (record) => this.outcome(record, ACKNOWLEDGE.release),
    );
    const { partition, effects } = expireLocks(this.partition, RULES, this.now);
    this.partition = partition;
    this.take(effects);
  }

  release(member: string): void {
    this.letGo(
      ({ owner }) => owner === member,
      ({ count }) => ({ state: 'available', count: count - 1 }),
    );
    const { partition, effects } = releaseMember(this.partition, member);
    this.partition = partition;
    this.take(effects);
  }

  letters(): void {
    const ticket = this.partition.nextTicket;
    for (const record of this.model.records.slice(this.model.start)) {
      if (record.state === 'archiving' && !record.settling) {
        record.settling = { ticket, state: 'archived', count: record.count };
      }
    }
    const { partition, effects } = deadLettered(this.partition, archivingRanges(this.partition, 2));
    this.partition = partition;
    this.take(effects);
  }

  /** The oldest write ends well; a refusal takes all that were appended after it along, as the log does. */
  disk(isRefused: boolean): void {
    const ended = isRefused ? this.writing.splice(0) : this.writing.splice(0, 1);
    for (const { ticket, batches, startOffset } of ended) {
      for (const record of this.model.records) {
        if (record.settling?.ticket !== ticket) continue;
        if (!isRefused)
          Object.assign(record, { owner: '', state: record.settling.state, count: record.settling.count });
        record.settling = undefined;
      }
      if (!isRefused) {
        for (const { first, last, state } of batches) {
          if (state !== 'acknowledged' && state !== 'archived') continue;
          for (let offset = first; offset <= last; offset += 1) this.acknowledgedOnDisk.add(offset);
        }
        for (let offset = 0; offset < startOffset; offset += 1) this.acknowledgedOnDisk.add(offset);
      }
      this.partition = stored(this.partition, ticket, !isRefused).partition;
      this.model.finished();
    }
  }

  delete(offset: number): void {
    this.partition = trimmed(this.partition, offset);
    if (offset <= this.model.start) return;
    for (const record of this.model.records.slice(0, offset)) record.state = 'archived';
    this.model.start = Math.max(this.model.start, offset);
    this.model.finished();
  }

  restart(): void {
    while (this.writing.length > 0) this.disk(false);
    const { startOffset, batches } = snapshotOf(this.partition);
    this.partition = restoredPartition(startOffset, batches);
    for (const record of this.model.records) {
      if (record.state === 'acquired') Object.assign(record, { state: 'available', owner: '' });
    }
  }

  check(): void {
    const { partition, model } = this;
    assert.equal(partition.startOffset, model.start);
    const told = partition.runs.flatMap((one) =>
      Array.from({ length: one.last - one.first + 1 }, () =>
        [one.state, one.deliveryCount, one.memberId, one.settling ? one.settling.state : ''].join(),
      ),
    );
    const untold = model.text();
    assert.deepEqual([...told, ...untold.slice(told.length)], untold);
    // From start to end without a hole, and no two neighbours that say the same.
    let at = partition.startOffset;
    for (const { first, last } of partition.runs) {
      assert.equal(first, at);
      at = last + 1;
    }
    assert.equal(at, partition.endOffset);
  }
}

function isFree(state: Naive['state']): boolean {
  return state === 'new' || state === 'available';
}

type Action =
  | { kind: 'acquire'; member: string; recordsMax: number; isStrict: boolean }
  | { kind: 'acknowledge'; member: string; first: number; types: number[] }
  | { kind: 'tick'; ms: number }
  | { kind: 'release'; member: string }
  | { kind: 'letters' }
  | { kind: 'disk'; isRefused: boolean }
  | { kind: 'delete'; offset: number }
  | { kind: 'restart' };

function act(world: World, one: Action): void {
  switch (one.kind) {
    case 'acquire':
      return world.acquire(one.member, one.recordsMax, one.isStrict);
    case 'acknowledge':
      return world.acknowledge(one.member, one.first, one.types);
    case 'tick':
      return world.tick(one.ms);
    case 'release':
      return world.release(one.member);
    case 'letters':
      return world.letters();
    case 'disk':
      return world.disk(one.isRefused);
    case 'delete':
      return world.delete(one.offset);
    case 'restart':
      return world.restart();
  }
}

const member = fc.constantFrom('a', 'b');
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('acquire' as const),
      member,
      recordsMax: fc.integer({ min: 1, max: 7 }),
      isStrict: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('acknowledge' as const),
      member,
      first: fc.nat(RECORDS - 1),
      types: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 5 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('disk' as const), isRefused: fc.boolean() }) },
  fc.record({ kind: fc.constant('tick' as const), ms: fc.integer({ min: 1, max: 12 }) }),
  fc.record({ kind: fc.constant('release' as const), member }),
  fc.constant({ kind: 'letters' as const }),
  fc.record({ kind: fc.constant('delete' as const), offset: fc.nat(RECORDS) }),
  fc.constant({ kind: 'restart' as const }),
);

test('a share partition says what a list of single records says, whatever happens in whatever order', () => {
  const histories = fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
    const world = new World();
    for (const one of actions) {
      act(world, one);
      world.check();
    }
  });
  const { counterexample, errorInstance } = fc.check(histories, { seed, numRuns: 800 });
  expect({ counterexample, errorInstance }).toEqual({ counterexample: null, errorInstance: null });
});

test('small cases: every order of two members, the clock and the disk', () => {
  const actions: Action[] = [
    { kind: 'acquire', member: 'a', recordsMax: 2, isStrict: true },
    { kind: 'acquire', member: 'b', recordsMax: 1, isStrict: false },
    { kind: 'acknowledge', member: 'a', first: 0, types: [ACKNOWLEDGE.accept, ACKNOWLEDGE.release] },
    { kind: 'acknowledge', member: 'b', first: 0, types: [ACKNOWLEDGE.reject] },
    { kind: 'tick', ms: 10 },
    { kind: 'release', member: 'a' },
    { kind: 'disk', isRefused: false },
    { kind: 'disk', isRefused: true },
    { kind: 'letters' },
  ];
  let orders = 0;
  const walk = (path: readonly Action[]): void => {
    if (path.length === 5) {
      const world = new World();
      for (const one of path) act(world, one);
      world.check();
      orders += 1;
      return;
    }
    for (const one of actions) walk([...path, one]);
  };
  walk(actions.slice(0, 1));
  expect(orders).toBe(actions.length ** 4);
});
