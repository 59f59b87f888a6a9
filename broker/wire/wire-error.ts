/** Bytes that are no message of this schema: truncated, a length that cannot be, a null where none may stand. */
export class WireError extends Error {
  override readonly name = 'WireError';
}
