/**
 * How many bytes one turn of the event loop takes or gives: what is more waits for the next, in the order in which it came,
 * and whatever else is due gets its turn before.
 */
export class TurnShare {
  readonly #bytesMax: number;
  #left: number;
  #waiting: Array<() => void> = [];
  #due: NodeJS.Immediate | undefined;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#left = bytesMax;
  }

  /** True while this turn may do more. */
  get isLeft(): boolean {
    return this.#left > 0;
  }

  /** Of this turn; more than is left is done nevertheless. */
  spend(bytes: number): void {
    this.#left -= bytes;
    // It comes at the end of this turn, and keeps nobody awake for it.
    this.#due ??= this.#renewSoon().unref();
  }

  /** Calls the function when there is something left again. */
  wait(fn: () => void): void {
    this.#waiting.push(fn);
    this.#renewForWaiting();
  }

  #renewForWaiting(): void {
    this.#due = (this.#due ?? this.#renewSoon()).ref();
  }

  #renewSoon(): NodeJS.Immediate {
    return setImmediate(() => {
      this.#due = undefined;
      this.#left = this.#bytesMax;
      const waiting = this.#waiting;
      this.#waiting = [];
      let called = 0;
      while (called < waiting.length && this.#left > 0) {
        waiting[called]!();
        called += 1;
      }
      this.#waiting = [...waiting.slice(called), ...this.#waiting];
      if (this.#waiting.length > 0) this.#renewForWaiting();
    });
  }
}
