/** One sync of a file at a time, shared by all who come while another runs. */
export class SharedSync {
  readonly #datasync: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(datasync: () => Promise<void>) {
    this.#datasync = datasync;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Everything that was written before the call is on the disk when it resolves. */
  sync(): Promise<void> {
    if (!this.#running && !this.#next) return this.#begin();
    // One that runs may have begun before the last write: who comes meanwhile shares the next.
    this.#next ??= (async () => {
      await this.#running?.catch(() => {});
      this.#next = undefined;
      await this.#begin();
    })();
    return this.#next;
  }

  /** Resolves when the one that runs has ended, done or failed; undefined when none does. */
  thisEnded(): Promise<void> | undefined {
    return this.#running?.catch(() => {});
  }

  /** Resolves when the last of those asked for has ended, done or failed; undefined when there is none. */
  ended(): Promise<void> | undefined {
    return (this.#next ?? this.#running)?.catch(() => {});
  }

  #begin(): Promise<void> {
    this.#running = this.#datasync().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }
}
