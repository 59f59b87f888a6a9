import type { FileHandle, Files } from '../../host/files.ts';

/**
 * Open segment files, shared by readers and the writer: opened on demand, the longest unused closed beyond a
 * bound, so that the number of partitions does not decide how many descriptors the process holds.
 */
interface Pooled {
  readonly opening: Promise<FileHandle>;
  users: number;
  /** Closed when the last user leaves. */
  doomed: boolean;
}

/**
 * A thousand partitions' active segments and as many that are caught up with. Node raises the limit of descriptors to
 * what the system allows at all, mostly 4,096 or far more; sockets need the rest.
 */
const OPEN_MAX = 2_048;
/**
 * Reads at a time, a third of the threads that the process has for files (deploy/parts/environment.ts): those who catch up
 * on a slow disk must not take all of them, or the write-ahead log waits behind them.
 */
const READS_MAX = 8;

export class FilePool {
  readonly files: Files;
  readonly #open = new Map<string, Pooled>();
  #reading = 0;
  /** Longest waiting first. */
  readonly #waiting: Array<() => void> = [];

  readonly #givenWay: () => Promise<void> | undefined;

  /** `givenWay`: what a read lets pass first. */
  constructor(files: Files, givenWay: () => Promise<void> | undefined = () => undefined) {
    this.files = files;
    this.#givenWay = givenWay;
  }

  /**
   * Calls `fn` with the file, open until `fn` is done. Writing creates it when absent, reading never does. Reads wait
   * their turn: `fn` may not read through the pool itself.
   */
  async use<T>(mode: 'read' | 'write', path: string, fn: (file: FileHandle) => Promise<T>): Promise<T> {
    if (mode === 'write') return this.#use(mode, path, fn);
    if (this.#reading < READS_MAX) this.#reading += 1;
    // Whoever ends gives its place on.
    else await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    try {
      const way = this.#givenWay();
      if (way) await way;
      return await this.#use(mode, path, fn);
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#reading -= 1;
    }
  }

  async #use<T>(mode: 'read' | 'write', path: string, fn: (file: FileHandle) => Promise<T>): Promise<T> {
    const pooled = this.#take(mode, path);
    pooled.users += 1;
    try {
      return await fn(await pooled.opening);
    } finally {
      pooled.users -= 1;
      if (pooled.doomed && pooled.users === 0) await close(pooled);
    }
  }

  /** Closes the file, after the reads that go on. Later uses open it anew. */
  async forget(path: string): Promise<void> {
    await this.#drop(`read ${path}`);
    await this.#drop(`write ${path}`);
  }

  async forgetAll(): Promise<void> {
    for (const key of Array.from(this.#open.keys())) await this.#drop(key);
  }

  async #drop(key: string): Promise<void> {
    const pooled = this.#open.get(key);
    if (!pooled) return;
    this.#open.delete(key);
    pooled.doomed = true;
    if (pooled.users === 0) await close(pooled);
  }

  #found(key: string): Pooled | undefined {
    const found = this.#open.get(key);
    if (!found) return undefined;
    // Maps keep insertion order: the first key is the longest unused.
    this.#open.delete(key);
    this.#open.set(key, found);
    return found;
  }

  #take(mode: 'read' | 'write', path: string): Pooled {
    const key = `${mode} ${path}`;
    // What is open for writing can be read as well.
    const found = this.#found(`write ${path}`) ?? (mode === 'read' ? this.#found(key) : undefined);
    if (found) return found;
    const pooled: Pooled = { opening: this.files.open(path, mode), users: 0, doomed: false };
    this.#open.set(key, pooled);
    pooled.opening.catch(() => {
      if (this.#open.get(key) === pooled) this.#open.delete(key);
    });
    for (const [oldest, { users }] of this.#open) {
      if (this.#open.size <= OPEN_MAX) break;
      if (users === 0 && oldest !== key) void this.#drop(oldest);
    }
    return pooled;
  }
}

async function close(pooled: Pooled): Promise<void> {
  const file = await pooled.opening.catch(() => undefined);
  // Nothing is lost with a failed close: what matters was synced, or will be through another descriptor.
  await file?.close().catch(() => {});
}
