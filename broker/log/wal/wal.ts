import type { Files } from '../../host/files.ts';
import type { Clock, Timers } from '../../host/host.ts';
import { LogError } from '../errors.ts';
import type { LogMetrics } from '../log-metrics.ts';
import { SharedSync } from './shared-sync.ts';
import { WAL_HEADER_BYTES } from './wal-entry.ts';
import { type WalFile, WalFiles } from './wal-files.ts';
import type { WalItem } from './wal-group.ts';
import { WalItems } from './wal-items.ts';
import { Owed } from './wal-owed.ts';

/**
 * So much is written beside a sync that others wait for, since writing it takes as long; less comes with what follows, in
 * one write.
 */
const BESIDE_SYNC_BYTES_MIN = 1024 * 1024;
/** Small files, which tests have, are for small batches. */
const BESIDE_SYNC_PER_FILE = 1 / 64;

interface Written {
  readonly batches: number;
  readonly bytes: number;
  readonly startedMs: number;
}

/**
 * The write-ahead log: one file that takes the batches of all partitions, in the order of their appends, and
 * one fdatasync for all that was written while the last one ran.
 *
 * Batches of lax topics are committed when they are written. Their sync comes with the next strict batch, when its
 * time is up, or when much is owed, beside further writes.
 *
 * What a failed write or sync leaves behind is unknown, so the file is given up with it: all that waits is
 * refused, newest first, and writing goes on only in a new file (`open`), whose header says how much of the
 * old one counts: what was synced. What was committed behind that comes first in the new one.
 */
export class Wal {
  readonly files: WalFiles;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly metrics: LogMetrics;
  readonly fileBytes: number;
  /** Called after the log moved on to a new file. */
  onRotate: () => void = () => {};
  /** Called once when the file was given up. */
  onFailure: (error: LogError) => void = () => {};
  /** Undefined when the last one was given up. */
  #file: WalFile | undefined;
  /** The file that the last `open` made, if it did. */
  #opened = 0;
  readonly #items = new WalItems();
  /** Until the newest of those that wait for their sync is committed, or failed. Never rejects. */
  #committing: Promise<void> | undefined;
  #running: Promise<void> | undefined;
  #scheduled = false;
  readonly #besideSyncBytesMin: number;
  readonly #owed: Owed;
  readonly #syncs = new SharedSync(() => this.#datasync());
  #failure: LogError | undefined = new LogError('KAFKA_STORAGE_ERROR', 'cannot append: the log is not open');

  constructor(
    host: { files: Files; clock: Clock; timers: Timers },
    directory: string,
    fileBytes: number,
    metrics: LogMetrics,
  ) {
    this.files = new WalFiles(host.files, directory);
    this.clock = host.clock;
    this.timers = host.timers;
    this.fileBytes = fileBytes;
    this.metrics = metrics;
    this.#besideSyncBytesMin = Math.min(BESIDE_SYNC_BYTES_MIN, fileBytes * BESIDE_SYNC_PER_FILE);
    this.#owed = new Owed(host.timers, fileBytes, () => void this.sync().catch(() => {}));
  }

  get failure(): LogError | undefined {
    return this.#failure;
  }

  /** Waiting, being written, and being synced. */
  get queuedBytes(): number {
    return this.#items.bytes;
  }

  /** Committed and not synced. */
  get owedBytes(): number {
    return this.#owed.bytes;
  }

  /** Resolves when the sync that runs has ended; undefined when none does. */
  syncEnded(): Promise<void> | undefined {
    return this.#syncs.thisEnded();
  }

  /** Starts a new file; durable, with its name, when it resolves. Throws what the disk says. */
  async open(): Promise<void> {
    await this.drain();
    await this.#release();
    this.#opened = 0;
    const last = this.files.kept.at(-1);
    // Behind it stand refused batches among those that are owed.
    if (last) last.end = last.synced;
    await this.#startFile();
    this.#opened = this.files.current;
    this.#failure = undefined;
  }

  /** Takes back a file that was opened and not used. */
  async discardUnused(): Promise<void> {
    const last = this.files.kept.at(-1);
    if (!last || last.file !== this.#opened || last.end > WAL_HEADER_BYTES) return;
    await this.#release();
    await this.files.discardLast();
  }

  /** Queues one batch, which may not change any more. */
  append(item: WalItem): void {
    if (this.#failure) throw this.#failure;
    this.#items.append(item);
    this.#schedule();
  }

  /** Everything that was committed before the call is on the disk when it resolves. Rejects with what that says. */
  async sync(): Promise<void> {
    if (this.#owed.items.length === 0) return;
    if (this.#failure) throw this.#failure;
    try {
      await this.#syncs.sync();
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  /** Resolves when nothing waits any more, done or refused. */
  async drain(): Promise<void> {
    for (;;) {
      this.#goOn();
      const underWay = this.#running ?? this.#syncs.ended();
      if (!underWay) return;
      await underWay;
    }
  }

  /** Stops taking; what waits is written first. */
  async close(): Promise<void> {
    await this.drain();
    await this.sync().catch(() => {});
    this.#owed.notDue();
    this.#failure ??= new LogError('KAFKA_STORAGE_ERROR', 'cannot append: the log is closed');
    await this.#release();
  }

  /** Gives the file up: what waits is refused, newest first. A group that is being written takes its course. */
  fail(cause: unknown): void {
    // One without a cause says only that the log is not open.
    const first = this.#failure?.cause === undefined;
    if (first) {
      const why = cause instanceof Error ? cause.message : String(cause);
      this.#failure = new LogError('KAFKA_STORAGE_ERROR', `cannot append: the disk refuses (${why})`, cause);
    }
    this.#items.refuseWaiting(this.#failure!);
    if (first) this.onFailure(this.#failure!);
  }

  // The turn in which the first append came may bring more: the group is taken after it.
  #schedule(): void {
    if (this.#scheduled || this.#running || this.#isHeldBack) return;
    this.#scheduled = true;
    this.timers.soon(() => {
      this.#scheduled = false;
      this.#goOn();
    });
  }

  /** What waits is worth no write of its own while others wait for a sync: it comes with what follows. */
  get #isHeldBack(): boolean {
    return this.#items.groupsTaken > 0 && this.#items.waitingBytes < this.#besideSyncBytesMin;
  }

  #goOn(): void {
    const isDue = this.#failure ? this.#items.groupsTaken > 0 : this.#items.hasWaiting && !this.#isHeldBack;
    if (!isDue || this.#running) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (this.#failure) this.#goOn();
      else if (this.#items.hasWaiting) this.#schedule();
    });
  }

  async #run(): Promise<void> {
    while (this.#items.hasWaiting && !this.#isHeldBack && !this.#failure) {
      const file = this.#file!;
      const startedMs = this.clock.monotonicMs();
      try {
        if (this.#owed.isFull) await this.#syncs.sync();
        const group = this.#items.takeGroup();
        const bytes = await file.write(group);
        file.end += bytes;
        const hasLax = group.some(({ syncWithinMs }) => syncWithinMs > 0);
        if (hasLax && !(await this.#isOldest())) break;
        const written = { batches: group.length, bytes, startedMs };
        const strict = hasLax ? this.#commitLax(startedMs) : group;
        if (strict.length > 0) this.#committing = this.#commitSynced(strict, written);
        else this.#committed(written, false);
      } catch (error) {
        this.fail(error);
      }
      if (file.end >= this.fileBytes && !this.#failure) await this.#rotate();
    }
    if (this.#failure) await this.#giveUp();
  }

  /** Commits what was written when it is on the disk. What follows is written meanwhile. */
  async #commitSynced(group: readonly WalItem[], written: Written): Promise<void> {
    try {
      await this.#syncs.sync();
    } catch (error) {
      this.fail(error);
      return this.#goOn();
    }
    this.#items.commitOldest(group);
    this.#committed(written, true);
    this.#goOn();
  }

  #committed({ batches, bytes, startedMs }: Written, isSynced: boolean): void {
    this.metrics.committed(batches, bytes, isSynced, this.clock.monotonicMs() - startedMs);
  }

  /** Behind a failure: what was written before may still be synced; the rest is refused, newest first. */
  async #giveUp(): Promise<void> {
    await this.#committing;
    this.#items.refuseTaken(this.#failure!);
    await this.#release();
  }

  /** Whether all groups before the last one are committed, once they are or have failed. */
  async #isOldest(): Promise<boolean> {
    if (this.#items.groupsTaken > 1) await this.#committing;
    return this.#items.groupsTaken === 1;
  }

  /** Commits those of the written group that need no sync for it; returns the others. */
  #commitLax(nowMs: number): readonly WalItem[] {
    const strict = this.#items.commitLax((item) => this.#owed.add(item, nowMs));
    if (this.#owed.isMuch && !this.#syncs.isRunning) this.#owed.dueWithin(0, nowMs);
    return strict;
  }

  async #datasync(): Promise<void> {
    if (!this.#file) throw this.#failure;
    const count = this.#owed.items.length;
    this.#owed.notDue();
    await this.#file.datasync();
    this.#owed.settle(count);
  }

  async #rotate(): Promise<void> {
    try {
      const { end, synced } = this.#file!;
      if (synced < end) await this.#syncs.sync();
      await this.#startFile();
    } catch (error) {
      this.fail(error);
      await this.#release();
      return;
    }
    this.onRotate();
  }

  async #startFile(): Promise<void> {
    const owed = this.#owed.items.length;
    const before = this.#file;
    this.#file = await this.files.start(this.#owed.items);
    this.#owed.settle(owed);
    await before?.close();
  }

  async #release(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }
}
