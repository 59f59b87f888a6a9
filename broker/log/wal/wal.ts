import type { Files } from '../../host/files.ts';
import type { Clock, Timers } from '../../host/host.ts';
import { LogError } from '../errors.ts';
import type { LogMetrics } from '../log-metrics.ts';
import { SharedSync } from './shared-sync.ts';
import { WAL_HEADER_BYTES } from './wal-entry.ts';
import { type WalFile, WalFiles } from './wal-files.ts';
import { groupLength, type WalItem } from './wal-group.ts';
import { Owed } from './wal-owed.ts';

/**
 * The write-ahead log: one file that takes the batches of all partitions, in the order of their appends, and
 * one fdatasync for all that arrived while the last one ran.
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
  /** Waiting and being written. */
  queuedBytes = 0;

  /** Undefined when the last one was given up. */
  #file: WalFile | undefined;
  /** The file that the last `open` made, if it did. */
  #opened = 0;
  #queue: WalItem[] = [];
  #running: Promise<void> | undefined;
  #scheduled = false;
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
    this.#owed = new Owed(host.timers, fileBytes, () => void this.sync().catch(() => {}));
  }

  get failure(): LogError | undefined {
    return this.#failure;
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
    this.#queue.push(item);
    this.queuedBytes += item.entry.length;
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
      if (this.#queue.length > 0 && !this.#running) this.#start();
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
    const failure = this.#failure!;
    const refused = this.#queue;
    this.#queue = [];
    for (let i = refused.length - 1; i >= 0; i--) {
      this.queuedBytes -= refused[i]!.entry.length;
      refused[i]!.refused(failure);
    }
    if (first) this.onFailure(failure);
  }

  // The turn in which the first append came may bring more: the group is taken after it.
  #schedule(): void {
    if (this.#scheduled || this.#running) return;
    this.#scheduled = true;
    this.timers.soon(() => {
      this.#scheduled = false;
      if (!this.#running) this.#start();
    });
  }

  #start(): void {
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (this.#queue.length > 0) this.#schedule();
    });
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      if (this.#failure) return this.fail(this.#failure);
      const file = this.#file!;
      const startedMs = this.clock.monotonicMs();
      let group: WalItem[] = [];
      try {
        if (this.#owed.isFull) await this.#syncs.sync();
        group = this.#takeGroup();
        const count = group.length;
        const bytes = await file.write(group);
        file.end += bytes;
        group = this.#commitLax(group, startedMs);
        if (group.length > 0) await this.#syncs.sync();
        this.metrics.committed(count, bytes, group.length > 0, this.clock.monotonicMs() - startedMs);
      } catch (error) {
        this.#queue = [...group, ...this.#queue];
        this.fail(error);
        await this.#release();
        return;
      }
      for (const item of group) {
        this.queuedBytes -= item.entry.length;
        item.committed();
      }
      if (file.end >= this.fileBytes) await this.#rotate();
    }
  }

  #takeGroup(): WalItem[] {
    const count = groupLength(this.#queue);
    if (count < this.#queue.length) return this.#queue.splice(0, count);
    const all = this.#queue;
    this.#queue = [];
    return all;
  }

  /** Commits those of a written group that need no sync for it; returns the others. */
  #commitLax(group: WalItem[], nowMs: number): WalItem[] {
    if (group.every(({ syncWithinMs }) => syncWithinMs === 0)) return group;
    const strict: WalItem[] = [];
    for (const item of group) {
      if (item.syncWithinMs === 0) {
        strict.push(item);
        continue;
      }
      this.queuedBytes -= item.entry.length;
      this.#owed.add(item, nowMs);
      item.committed();
    }
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
