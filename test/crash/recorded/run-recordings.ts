import { cutEverywhere, type RecordedBounds } from './record.ts';
import { recordings } from './workloads.ts';

/** Every recorded workload, a line for each. */
export async function runRecordings(
  bounds: RecordedBounds,
  say: (line: string) => void,
): Promise<{ readonly operations: number; readonly states: number; readonly failures: readonly string[] }> {
  const failures: string[] = [];
  let operations = 0;
  let states = 0;
  for (const recording of recordings()) {
    const result = await cutEverywhere(recording, bounds);
    const { cut, torn, restart } = result.states;
    operations += result.operations;
    states += cut + torn + restart;
    failures.push(...result.failures);
    say(
      `${recording.name}: ${result.operations} operations; states after a cut ${cut}, with a torn write ${torn}, ` +
        `after cuts of starts ${restart}; failed ${result.failures.length}`,
    );
    for (const failure of result.failures) say(failure);
  }
  return { operations, states, failures };
}
