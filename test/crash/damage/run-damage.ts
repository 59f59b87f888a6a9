import { bitFlips, DamagedSample, type DamageResult, truncations } from './damage.ts';
import { SAMPLES } from './samples.ts';

/** Damages every file of every sample: each `step`-th bit, each `cutStep`-th end; a line for each file. */
export async function runDamage(
  { step, cutStep }: { readonly step: number; readonly cutStep: number },
  say: (line: string) => void,
): Promise<{ readonly flips: number; readonly cuts: number; readonly failures: readonly string[] }> {
  const failures: string[] = [];
  let flips = 0;
  let cuts = 0;
  for (const sample of SAMPLES) {
    const damaged = await DamagedSample.make(sample);
    say(`${sample.name}:`);
    for (const { path, bytes } of damaged.files()) {
      if (bytes === 0) continue;
      const flipped = await damaged.try(path, bitFlips(bytes, step, bytes));
      const cut = await damaged.try(path, truncations(bytes, cutStep, bytes));
      flips += flipped.tried;
      cuts += cut.tried;
      say(`  ${path}, ${bytes} bytes\n    flips ${summary(flipped)}\n    ends  ${summary(cut)}`);
      failures.push(...flipped.failures, ...cut.failures);
    }
  }
  return { flips, cuts, failures };
}

function summary({ tried, unharmed, healed, lost, lostMax, failures }: DamageResult): string {
  return `${tried}: unharmed ${unharmed}, healed ${healed}, lost and named ${lost} (at most ${lostMax}), failed ${failures.length}`;
}
