/** The promise that the run broke, and how to run it again by its test file; empty when all held. */
export async function brokenPromise<P extends { readonly seed: number }>(
  run: (plan: P) => Promise<unknown>,
  plan: P,
  testFile: string,
): Promise<string> {
  try {
    await run(plan);
    return '';
  } catch (error) {
    const again = `MILLRACE_CRASH_SEED=${plan.seed} npx vitest run test/crash/${testFile}`;
    return `${JSON.stringify(plan)}: ${error instanceof Error ? error.stack : String(error)}\nagain: ${again}`;
  }
}
