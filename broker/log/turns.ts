/** What may happen only one at a time, in the order in which it was asked for. */
export class Turns {
  /** Resolves when the last of those asked for has ended. It does not keep what that returned, which may be large. */
  #last: Promise<void> = Promise.resolve();

  /** Calls `fn` when those before have ended, however they did; its outcome is the caller's alone. */
  inTurn<T>(fn: () => Promise<T>): Promise<T> {
    const done = this.#last.then(fn);
    this.#last = done.then(nothing, nothing);
    return done;
  }

  /** Keeps others out until the returned function is called; resolves when those before have ended. */
  async hold(): Promise<() => void> {
    const before = this.#last;
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    this.#last = before.then(() => held);
    await before;
    return release;
  }

  /** Resolves when all that were asked for until now have ended; never rejects. */
  settled(): Promise<void> {
    return this.#last;
  }
}

function nothing(): void {}
