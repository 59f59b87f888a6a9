/** Virtual machines compile what they meet often, for many runs: what is compared begins when rates no longer rise. */
import type { MeasureName, Run } from './cell.ts';
import type { Side } from './side.ts';

/** More would take longer than what is measured. */
const RUNS_MAX = 7;
/** One alone may be slow by chance, so the better of so many is looked at. */
const RUNS_LAST = 2;
/** By more than this, rates rise. */
const RISE = 1.05;

/** True when the last runs are no faster than those before them, or there were many. */
export function isWarm(rates: readonly number[]): boolean {
  if (rates.length >= RUNS_MAX) return true;
  if (rates.length <= RUNS_LAST) return false;
  return Math.max(...rates.slice(-RUNS_LAST)) <= RISE * Math.max(...rates.slice(0, -RUNS_LAST));
}

/** Repeats `work`, which resolves to its rate, in turns, until each side is warm; notes how often that was. */
export async function warmUp(
  run: Run,
  measure: Extract<MeasureName, `${string} warm-ups`>,
  work: (side: Side, count: number) => Promise<number>,
): Promise<void> {
  const rates = new Map(run.sides.map((side) => [side, [] as number[]]));
  const cold = (): Side[] => run.sides.filter((side) => !isWarm(rates.get(side)!));
  for (let sides = cold(), count = 0; sides.length > 0; sides = cold(), count += 1) {
    await run.prepare(
      `warms up, run ${count + 1} of ${RUNS_MAX} at most`,
      async (side) => void rates.get(side)!.push(await work(side, count)),
      sides,
    );
  }
  for (const [side, { length }] of rates) run.note(side, measure, length);
}
