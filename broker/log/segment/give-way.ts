import type { Timers } from '../../host/host.ts';

/** On a disk that hangs, reads go on all the same. */
const WAIT_MAX_MS = 20;

/**
 * Reads of segments let the sync of the write-ahead log that is under way end before they begin: on a disk that reads as
 * fast as it can, a sync takes ten times as long, and everybody at the end of a topic waits for it. They let one pass,
 * not all: where one follows the other, reads and syncs share the disk.
 */
export class GiveWay {
  readonly #timers: Timers;
  readonly #syncEnded: () => Promise<void> | undefined;
  #given: Promise<void> | undefined;

  constructor(timers: Timers, syncEnded: () => Promise<void> | undefined) {
    this.#timers = timers;
    this.#syncEnded = syncEnded;
  }

  /** Resolves when a read may begin; undefined when it may at once. All who wait for the same sync share it. */
  given(): Promise<void> | undefined {
    if (this.#given) return this.#given;
    const ended = this.#syncEnded();
    if (!ended) return undefined;
    this.#given = new Promise<void>((resolve) => {
      const done = (): void => {
        cancel();
        this.#given = undefined;
        resolve();
      };
      const cancel = this.#timers.after(WAIT_MAX_MS, done);
      void ended.then(done);
    });
    return this.#given;
  }
}
