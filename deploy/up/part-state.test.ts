import { expect, test } from 'vitest';

import { initialState, type PartEvent, type PartState, step } from './part-state.ts';

function run(events: ReadonlyArray<readonly [number, PartEvent]>): { state: PartState; effects: string[] } {
  let state = initialState;
  const effects: string[] = [];
  for (const [nowMs, event] of events) {
    const next = step(state, event, nowMs);
    state = next.state;
    effects.push(...next.effects.map((one) => ('delayMs' in one ? `${one.name} ${one.delayMs}` : one.name)));
  }
  return { state, effects };
}

test('a part that dies is started again, later each time, until it has been healthy for a while', () => {
  const { effects } = run([
    [0, { name: 'ready' }],
    [10, { name: 'exit' }],
    [110, { name: 'retry' }],
    [120, { name: 'exit' }],
    [320, { name: 'retry' }],
    [330, { name: 'ready' }],
    [30_330, { name: 'exit' }],
  ]);
  expect(effects).toEqual(['retry-after 100', 'spawn', 'retry-after 200', 'spawn', 'retry-after 100']);
});

test('the wait between starts is bounded', () => {
  const events: Array<readonly [number, PartEvent]> = [];
  for (let round = 0; round < 20; round += 1)
    events.push([round, { name: 'exit' }], [round, { name: 'retry' }]);
  expect(run(events).effects.at(-2)).toBe('retry-after 2000');
});

test('a part that cannot start through its own fault ends the whole, unless it was ready before', () => {
  expect(run([[0, { name: 'failed', message: 'port is busy' }]]).effects).toEqual(['give-up']);
  const later = run([
    [0, { name: 'ready' }],
    [1, { name: 'exit' }],
    [101, { name: 'retry' }],
    [102, { name: 'failed', message: 'port is busy' }],
    [103, { name: 'exit' }],
  ]);
  expect(later.effects).toEqual(['retry-after 100', 'spawn', 'retry-after 200']);
});

test('stopping: asked once, and an exit is then final', () => {
  const { state, effects } = run([
    [0, { name: 'ready' }],
    [1, { name: 'stop' }],
    [2, { name: 'stop' }],
    [3, { name: 'exit' }],
    [4, { name: 'retry' }],
  ]);
  expect(effects).toEqual(['ask-to-stop']);
  expect(state).toEqual({ name: 'stopped' });
});
