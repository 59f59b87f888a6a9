/** Identifies one parked request to the owner of a state machine. */
export type Token = number;

/** Requests that a state machine answers when it comes to that: it knows them by their tokens alone. */
export class ParkedRequests<Answer> {
  readonly #waiting = new Map<Token, (answer: Answer) => void>();
  #next: Token = 1;

  /** `resolve` is called once, with the answer. */
  park(resolve: (answer: Answer) => void): Token {
    const token = this.#next++;
    this.#waiting.set(token, resolve);
    return token;
  }

  answer(to: Token, answer: Answer): void {
    const resolve = this.#waiting.get(to);
    this.#waiting.delete(to);
    resolve?.(answer);
  }
}
