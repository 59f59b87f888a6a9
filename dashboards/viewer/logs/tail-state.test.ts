import { expect, test } from 'vitest';
import { rowsOf } from './log-row.ts';
import { RING_LINES_MAX, step, TAIL_START, type TailEvent, type TailState } from './tail-state.ts';

function lines(from: number, count: number, dropped = 0): TailEvent {
  const made = Array.from({ length: count }, (_, index) => ({
    timeNs: String(1_000_000 + from + index),
    line: `line ${from + index}`,
    labels: {},
  }));
  return { type: 'lines', rows: rowsOf(made), dropped };
}

function play(...events: TailEvent[]): TailState {
  let state = TAIL_START;
  for (const event of events) state = step(state, event);
  return state;
}

test('lines show newest first while live', () => {
  const state = play({ type: 'opened' }, lines(0, 2), lines(2, 1, 3));
  expect(state.shown.map((row) => row.line)).toEqual(['line 2', 'line 1', 'line 0']);
  expect(state).toMatchObject({ phase: 'live', dropped: 3 });
});

test('paused lines are held and shown on resume', () => {
  const paused = play(lines(0, 1), { type: 'pause' }, lines(1, 2));
  expect([paused.shown.length, paused.held.length]).toEqual([1, 2]);
  const resumed = step(paused, { type: 'resume' });
  expect([resumed.shown.length, resumed.held.length]).toEqual([3, 0]);
});

test('the ring is bounded; what falls out unseen is counted', () => {
  expect(play(lines(0, RING_LINES_MAX), lines(RING_LINES_MAX, 10)).shown).toHaveLength(RING_LINES_MAX);
  const paused = play({ type: 'pause' }, lines(0, RING_LINES_MAX), lines(RING_LINES_MAX, 10));
  expect(paused.dropped).toBe(10);
  expect(paused.held[0]?.line).toBe(`line ${RING_LINES_MAX + 9}`);
});

test('a lost connection says so until it is back', () => {
  expect(play({ type: 'opened' }, { type: 'lost' }).phase).toBe('reconnecting');
  expect(play({ type: 'opened' }, { type: 'lost' }, { type: 'opened' }).phase).toBe('live');
});
