/** A failure whose message says all that its reader needs: printed without a stack, exit code 1. */
export class ExpectedError extends Error {
  readonly expected = true;
}
