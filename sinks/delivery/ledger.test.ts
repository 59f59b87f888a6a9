import fc from 'fast-check';
import { expect, test } from 'vitest';

import {
  type Effect,
  emptyLedger,
  type Event,
  isSettled,
  type Ledger,
  type PartitionKey,
  step,
} from './ledger.ts';

const range = (from: number, to: number) => ({ from, to });

/** Runs events at time 0 and gives back the effects of the last one, without wakes. */
function run(...events: Event[]): { ledger: Ledger; effects: Effect[] } {
  let state: { ledger: Ledger; effects: Effect[] } = { ledger: emptyLedger, effects: [] };
  for (const event of events) state = step(state.ledger, event, 0);
  return state;
}

const ASSIGNED: Event = { type: 'assigned' };
const sealed = (cut: number, from: number, to: number, ...parts: number[]): Event => ({
  type: 'sealed',
  cut,
  ranges: new Map([['t/0', range(from, to)]]),
  parts,
});
const looked = (bound: number): Event => ({ type: 'looked', bounds: new Map([['t/0', bound]]) });
const stored = (part: number): Event => ({ type: 'stored', part });

test('looks before it stores anything of a new assignment', () => {
  expect(run(ASSIGNED, sealed(1, 5, 9, 10)).effects).toEqual([{ type: 'look', from: new Map([['t/0', 5]]) }]);
});

test('below the bound rows are in doubt, above they are not', () => {
  expect(run(ASSIGNED, sealed(1, 5, 9, 10), looked(8)).effects).toEqual([
    { type: 'store', part: 10, inDoubt: true },
  ]);
  expect(run(ASSIGNED, sealed(1, 8, 9, 10), looked(8)).effects).toEqual([
    { type: 'store', part: 10, inDoubt: false },
  ]);
  expect(run(ASSIGNED, sealed(1, 8, 9, 10), looked(8), sealed(2, 9, 11, 11)).effects).toEqual([
    { type: 'store', part: 11, inDoubt: false },
  ]);
});

test('commits only the contiguous prefix', () => {
  const begin = [ASSIGNED, sealed(1, 0, 5, 10, 11), looked(0), sealed(2, 5, 9, 12)];
  expect(run(...begin, stored(12)).effects).toEqual([]);
  expect(run(...begin, stored(12), stored(10)).effects).toEqual([]);
  expect(run(...begin, stored(12), stored(10), stored(11)).effects).toEqual([
    { type: 'commit', offsets: new Map([['t/0', 9]]) },
  ]);
});

test('a cut without rows moves the position as well', () => {
  expect(run(ASSIGNED, sealed(1, 0, 5), looked(0)).effects).toEqual([
    { type: 'commit', offsets: new Map([['t/0', 5]]) },
  ]);
});

test('what failed is in doubt and waits, longer each time, never longer than ten seconds', () => {
  let ledger = run(ASSIGNED, sealed(1, 0, 5, 10), looked(0)).ledger;
  let nowMs = 0;
  const delays: number[] = [];
  for (let attempt = 0; attempt < 9; attempt += 1) {
    const failed = step(ledger, { type: 'store-failed', part: 10 }, nowMs);
    const wake = failed.effects.find((effect) => effect.type === 'wake');
    delays.push(wake!.atMs - nowMs);
    expect(step(failed.ledger, { type: 'woken' }, wake!.atMs - 1).effects).toEqual([wake]);
    nowMs = wake!.atMs;
    const woken = step(failed.ledger, { type: 'woken' }, nowMs);
    expect(woken.effects).toEqual([{ type: 'store', part: 10, inDoubt: true }]);
    ledger = woken.ledger;
  }
  expect(delays).toEqual([200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000]);
});

test('a new generation forgets what the old one began', () => {
  const lost = run(ASSIGNED, sealed(1, 0, 5, 10), looked(0), { type: 'revoked' }, stored(10));
  expect(lost.effects).toEqual([]);
  expect(isSettled(lost.ledger)).toBe(true);
});

/**
 * The model: partitions of numbered records, a table that is a bag of rows, a committed position, and a process that
 * runs the ledger. The schedule decides who moves next, what the store answers, and when the process dies.
 */
interface World {
  readonly table: Map<string, number>;
  readonly committed: Map<PartitionKey, number>;
  ledger: Ledger;
  readonly next: Map<PartitionKey, number>;
  readonly parts: Map<number, Array<[PartitionKey, number]>>;
  pending: Effect[];
  ids: number;
  /** What must never happen, and did. */
  readonly faults: string[];
}

const PARTITIONS = ['t/0', 't/1'];
const RECORDS = 12;

function start(world: World): void {
  world.next.clear();
  world.parts.clear();
  for (const key of PARTITIONS) world.next.set(key, world.committed.get(key) ?? 0);
  world.pending = [];
  feed(world, ASSIGNED);
}

function feed(world: World, event: Event): void {
  const { ledger, effects } = step(world.ledger, event, 0);
  world.ledger = ledger;
  world.pending.push(...effects.filter(({ type }) => type !== 'wake' && type !== 'release'));
}

function seal(world: World, counts: readonly number[]): void {
  const ranges = new Map<PartitionKey, { from: number; to: number }>();
  const rows: Array<[PartitionKey, number]> = [];
  for (const [place, key] of PARTITIONS.entries()) {
    const from = world.next.get(key)!;
    const to = Math.min(RECORDS, from + (counts[place] ?? 0));
    if (from === to) continue;
    ranges.set(key, { from, to });
    world.next.set(key, to);
    for (let offset = from; offset < to; offset += 1) rows.push([key, offset]);
  }
  if (ranges.size === 0) return;
  // Two tables: rows with even offsets go to one, the others to the other.
  const parts = [0, 1].flatMap((parity) => {
    const of = rows.filter(([, offset]) => offset % 2 === parity);
    if (of.length === 0) return [];
    world.ids += 1;
    world.parts.set(world.ids, of);
    return [world.ids];
  });
  world.ids += 1;
  feed(world, { type: 'sealed', cut: world.ids, ranges, parts });
}

type Answer = 'ok' | 'refused' | 'lost answer' | 'half, then lost';

/** The store's side of one effect, and what the process hears of it. */
function answer(world: World, effect: Effect, how: Answer): void {
  if (effect.type === 'look') {
    if (how !== 'ok') return feed(world, { type: 'look-failed' });
    const bounds = new Map([...effect.from.keys()].map((key) => [key, boundOf(world, key)]));
    return feed(world, { type: 'looked', bounds });
  }
  if (effect.type === 'store') {
    const rows = world.parts.get(effect.part)!;
    const missing = effect.inDoubt ? rows.filter((row) => !world.table.has(row.join(':'))) : rows;
    const inserted = how === 'refused' ? [] : how === 'half, then lost' ? missing.slice(0, 1) : missing;
    for (const row of inserted) world.table.set(row.join(':'), (world.table.get(row.join(':')) ?? 0) + 1);
    return feed(world, { type: how === 'ok' ? 'stored' : 'store-failed', part: effect.part });
  }
  if (effect.type === 'commit') {
    if (how !== 'refused') {
      for (const [key, offset] of effect.offsets) {
        for (let below = 0; below < offset; below += 1) {
          if (world.table.get(`${key}:${below}`) !== 1)
            world.faults.push(`committed ${offset} without ${key}:${below}`);
        }
        world.committed.set(key, offset);
      }
    }
    feed(world, { type: how === 'ok' ? 'committed' : 'commit-failed' });
  }
}

function boundOf(world: World, key: PartitionKey): number {
  let bound = 0;
  for (let offset = 0; offset < RECORDS; offset += 1)
    if (world.table.has(`${key}:${offset}`)) bound = offset + 1;
  return bound;
}

/** Time passes: everything that waits may try again. */
function wake(world: World): void {
  const { ledger, effects } = step(world.ledger, { type: 'woken' }, 1e9);
  world.ledger = ledger;
  world.pending.push(...effects.filter(({ type }) => type !== 'wake' && type !== 'release'));
}

const move = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('seal' as const), counts: fc.array(fc.nat(3), { maxLength: 2 }) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('answer' as const),
      which: fc.nat(5),
      how: fc.constantFrom<Answer>('ok', 'ok', 'ok', 'refused', 'lost answer', 'half, then lost'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wake' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('kill' as const), applied: fc.boolean() }) },
);

test('whatever the store answers and whenever the process dies: each record once, the position never ahead', () => {
  fc.assert(
    fc.property(fc.array(move, { maxLength: 80 }), (moves) => {
      const world: World = {
        table: new Map(),
        committed: new Map(),
        ledger: emptyLedger,
        next: new Map(),
        parts: new Map(),
        pending: [],
        ids: 0,
        faults: [],
      };
      start(world);
      for (const one of moves) {
        if (one.do === 'seal') seal(world, one.counts);
        else if (one.do === 'wake') wake(world);
        else if (one.do === 'answer') {
          const [effect] = world.pending.splice(one.which % Math.max(1, world.pending.length), 1);
          if (effect) answer(world, effect, one.how);
        } else {
          // What was on its way lands or does not; the next owner looks only after that.
          if (one.applied)
            for (const effect of world.pending) if (effect.type === 'store') land(world, effect);
          start(world);
        }
      }
      for (let round = 0; round < 200; round += 1) {
        const effect = world.pending.shift();
        if (effect) answer(world, effect, 'ok');
        else if (PARTITIONS.some((key) => world.next.get(key)! < RECORDS)) seal(world, [4, 4]);
        else wake(world);
      }
      expect(world.faults).toEqual([]);
      expect(isSettled(world.ledger)).toBe(true);
      for (const key of PARTITIONS) {
        expect(world.committed.get(key)).toBe(RECORDS);
        for (let offset = 0; offset < RECORDS; offset += 1)
          expect(world.table.get(`${key}:${offset}`)).toBe(1);
      }
    }),
    { numRuns: 2_000 },
  );
});

function land(world: World, effect: Effect & { type: 'store' }): void {
  for (const row of world.parts.get(effect.part)!) {
    const key = row.join(':');
    if (effect.inDoubt && world.table.has(key)) continue;
    world.table.set(key, (world.table.get(key) ?? 0) + 1);
  }
}
