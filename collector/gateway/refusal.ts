/** A request that was not taken and should come again: nothing is wrong with it. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly reason: 'broker_away' | 'overload' | 'stopping';
  readonly retryAfterS: number;

  constructor(reason: Refusal['reason'], message: string, retryAfterS: number) {
    super(message);
    this.reason = reason;
    this.retryAfterS = retryAfterS;
  }
}
