/** Bytes or JSON that are not the OTLP message they claim to be. The message is meant for the sender. */
export class OtlpError extends Error {
  override readonly name = 'OtlpError';
  /** Byte in the request at which reading stopped; -1 when the problem has no place (JSON values). */
  readonly offset: number;

  constructor(got: string, want: string, offset = -1) {
    super(`cannot read OTLP${offset >= 0 ? ` at byte ${offset}` : ''}: got ${got}, want ${want}`);
    this.offset = offset;
  }
}
