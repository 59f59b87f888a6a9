import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { type Event, type Instance, step } from './instance.ts';

/** What an alert should be, told from the whole history instead of from a state. */
function model(
  history: ReadonlyArray<{ at: number; holds: boolean }>,
  forMs: number,
  keepMs: number,
): string {
  let activeAt: number | undefined;
  let firing = false;
  let clearSince: number | undefined;
  let ended = false;
  for (const { at, holds } of history) {
    if (holds) {
      activeAt ??= at;
      clearSince = undefined;
      firing ||= at - activeAt >= forMs;
      if (firing) ended = false;
    } else if (firing) {
      clearSince ??= at;
      if (at - clearSince >= keepMs) {
        firing = false;
        activeAt = undefined;
        clearSince = undefined;
        ended = true;
      }
    } else {
      activeAt = undefined;
    }
  }
  if (firing) return 'firing';
  return activeAt === undefined ? (ended ? 'resolved' : 'inactive') : 'pending';
}

test('an alert goes the way its history says', () => {
  const gaps = fc.array(fc.record({ gap: fc.integer({ min: 1, max: 30 }), holds: fc.boolean() }), {
    maxLength: 40,
  });
  fc.assert(
    fc.property(
      gaps,
      fc.integer({ min: 0, max: 40 }),
      fc.integer({ min: 0, max: 40 }),
      (all, forMs, keepFiringForMs) => {
        let at = 0;
        const history = all.map(({ gap, holds }) => ({ at: (at += gap), holds }));
        let instance: Instance | undefined;
        let phase = 'inactive';
        for (const [index, one] of history.entries()) {
          const event: Event = one.holds
            ? { type: 'holds', atMs: one.at, value: index }
            : { type: 'clears', atMs: one.at };
          const next = step(instance, event, { forMs, keepFiringForMs });
          expect(next.transition?.from ?? phase).toBe(phase);
          instance = next.instance;
          phase = instance?.phase ?? 'inactive';
          expect(next.transition?.to ?? phase).toBe(phase);
          // After a resolved alert became pending and inactive again, nothing is remembered of it.
          const want = model(history.slice(0, index + 1), forMs, keepFiringForMs);
          expect(phase === want || (phase === 'inactive' && want === 'resolved')).toBe(true);
        }
      },
    ),
    { numRuns: 500 },
  );
});

describe('an early firing', () => {
  const holding = { forMs: 0, keepFiringForMs: 0 };
  const held = step(undefined, { type: 'certain', tickMs: 15, atMs: 5, value: 3 }, holding);

  test('says why', () => {
    expect(held).toEqual({
      instance: {
        phase: 'firing',
        value: 3,
        activeAtMs: 5,
        startsAtMs: 5,
        begunAtMs: 15,
        certain: [{ tickMs: 15, atMs: 5, value: 3 }],
      },
      transition: {
        from: 'inactive',
        to: 'firing',
        why: 'the condition holds at 3 and more records cannot undo it',
      },
    });
  });

  test('is not ended by an evaluation that saw less', () => {
    expect(step(held.instance, { type: 'clears', atMs: 14 }, holding).transition).toBeUndefined();
    expect(step(held.instance, { type: 'clears', atMs: 15 }, holding).transition?.to).toBe('resolved');
  });

  test('that will hold again later remembers it over its end', () => {
    const again = step(held.instance, { type: 'certain', tickMs: 45, atMs: 33, value: 4 }, holding);
    expect(again.transition).toBeUndefined();
    const ended = step(again.instance, { type: 'clears', atMs: 30 }, holding);
    expect(ended.instance).toMatchObject({
      phase: 'resolved',
      certain: [{ tickMs: 45, atMs: 33, value: 4 }],
    });
  });
});
