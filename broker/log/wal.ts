import { type FileHandle, type Files, writeAll } from '../host/files.ts';
import type { Cancel, Clock, Timers } from '../host/host.ts';
import { LogError } from './errors.ts';
import type { LogMetrics } from './log-metrics.ts';
import { encodeFrame, encodeWalHeader, WAL_HEADER_BYTES } from './wal-entry.ts';
import { walPath } from './wal-scan.ts';

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
export interface WalItem {
  readonly topicId: Buffer;
  readonly partition: number;
  /** The batch, behind room for its frame, which is written here. Neither may change until it is durable. */
  readonly entry: Buffer;
  /** 0: durable before it is committed. Else written before, and synced within so many ms; Infinity: with others. */
  readonly syncWithinMs: number;
  /** The batch counts: it is durable, or written where that is enough. */
  committed(): void;
  /** Whether the entry is needed behind `committed`, for a sync that fails: told before it, and when that is over. */
  owe(yes: boolean): void;
  /** The batch is not in the log; called in the reverse order of the appends. */
  refused(error: LogError): void;
}

/** One group: bounds the time that the first in it waits for the last. */
const GROUP_BYTES_MAX = 16 * 1024 * 1024;
/** Committed before their sync: memory that is kept for them, and what a failed sync makes to be written again. */
const OWED_BYTES_MAX = 16 * 1024 * 1024;
/** What a timer takes. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** A file that holds what no checkpoint covers yet. */
export interface WalPlace {
  readonly file: number;
  /** What of it counts. */
  end: number;
  /** What of that is on the disk for sure. */
  synced: number;
}

export class Wal {
  readonly files: Files;
  readonly directory: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly metrics: LogMetrics;
  readonly fileBytes: number;
  /** Called after the log moved on to a new file. */
  onRotate: () => void = () => {};
  /** Called once when the file was given up. */
  onFailure: (error: LogError) => void = () => {};
  /** The last is being written. */
  kept: WalPlace[] = [];
  /** Number of the next file: never one that was used before. */
  nextFile = 1;
  /** Waiting and being written. */
  queuedBytes = 0;
  /** Committed and not synced. */
  owedBytes = 0;

  #handle: FileHandle | undefined;
  #queue: WalItem[] = [];
  #running: Promise<void> | undefined;
  #scheduled = false;
  /** Committed and not synced: a file that is given up owes them to the next one. Oldest first. */
  #owed: WalItem[] = [];
  #syncing: Promise<void> | undefined;
  #nextSync: Promise<void> | undefined;
  /** The file that the last `open` made, if it did. */
  #opened = 0;
  /** A sync of this file failed: a further one would succeed without having written anything. */
  #syncFailure: { readonly cause: unknown } | undefined;
  #syncAtMs = Number.POSITIVE_INFINITY;
  #cancelSync: Cancel = () => {};
  #failure: LogError | undefined = new LogError('KAFKA_STORAGE_ERROR', 'cannot append: the log is not open');

  constructor(
    host: { files: Files; clock: Clock; timers: Timers },
    directory: string,
    fileBytes: number,
    metrics: LogMetrics,
  ) {
    this.files = host.files;
    this.clock = host.clock;
    this.timers = host.timers;
    this.directory = directory;
    this.fileBytes = fileBytes;
    this.metrics = metrics;
  }

  get failure(): LogError | undefined {
    return this.#failure;
  }

  get current(): number {
    return this.kept.at(-1)?.file ?? 0;
  }

  get bytes(): number {
    let bytes = 0;
    for (const { end } of this.kept) bytes += end;
    return bytes;
  }

  /** Takes files over from an earlier run, which may have died between a write and its sync. */
  async adopt(kept: ReadonlyArray<{ file: number; end: number }>): Promise<void> {
    this.kept = kept.map(({ file, end }) => ({ file, end, synced: end }));
    // The next file's header says that these bytes count, so they have to be there after a power cut.
    for (const { file } of kept) {
      const handle = await this.files.open(walPath(this.directory, file), 'write');
      try {
        await handle.datasync();
      } finally {
        await handle.close();
      }
    }
  }

  /** Starts a new file; durable, with its name, when it resolves. Throws what the disk says. */
  async open(): Promise<void> {
    await this.drain();
    await this.#release();
    this.#opened = 0;
    const last = this.kept.at(-1);
    // Behind it stand refused batches among those that are owed.
    if (last) last.end = last.synced;
    await this.#startFile();
    this.#opened = this.current;
    this.#failure = undefined;
  }

  /** Takes back a file that was opened and not used. */
  async discardUnused(): Promise<void> {
    const last = this.kept.at(-1);
    if (!last || last.file !== this.#opened || last.end > WAL_HEADER_BYTES) return;
    await this.#release();
    this.kept.pop();
    await this.files.remove(walPath(this.directory, last.file)).catch(() => {});
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
    if (this.#owed.length === 0) return;
    if (this.#failure) throw this.#failure;
    try {
      await this.#sync();
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  /** Resolves when nothing waits any more, done or refused. */
  async drain(): Promise<void> {
    while (this.#queue.length > 0 || this.#running || this.#syncing || this.#nextSync) {
      if (this.#queue.length > 0 && !this.#running) this.#start();
      await (this.#running ?? (this.#nextSync ?? this.#syncing)?.catch(() => {}));
    }
  }

  /** Stops taking; what waits is written first. */
  async close(): Promise<void> {
    await this.drain();
    await this.sync().catch(() => {});
    this.#cancelSync();
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

  /** Forgets files below `file`, which a checkpoint covers, and removes them. */
  async removeBefore(file: number): Promise<void> {
    const gone = this.kept.filter((one) => one.file < file);
    this.kept = this.kept.filter((one) => one.file >= file);
    for (const one of gone) await this.files.remove(walPath(this.directory, one.file));
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
      const startedMs = this.clock.monotonicMs();
      let group: WalItem[] = [];
      try {
        if (this.owedBytes >= this.#owedBytesMax) await this.#sync();
        group = this.#takeGroup();
        const place = this.kept.at(-1)!;
        const chunks = encodeGroup(group, place.file, place.end, place.synced);
        const bytes = await writeAll(this.#handle!, chunks, place.end);
        place.end += bytes;
        const count = group.length;
        group = this.#commitLax(group, startedMs);
        if (group.length > 0) await this.#sync();
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
      if (this.kept.at(-1)!.end >= this.fileBytes) await this.#rotate();
    }
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
      this.#owed.push(item);
      item.owe(true);
      this.owedBytes += item.entry.length;
      this.#syncBy(nowMs, item.syncWithinMs);
      item.committed();
    }
    // Beside the next writes, so that these do not have to wait for it.
    if (this.owedBytes >= this.#owedBytesMax / 2 && !this.#syncing) this.#syncBy(nowMs, 0);
    return strict;
  }

  get #owedBytesMax(): number {
    return Math.min(OWED_BYTES_MAX, this.fileBytes / 2);
  }

  #syncBy(nowMs: number, withinMs: number): void {
    if (nowMs + withinMs >= this.#syncAtMs) return;
    this.#cancelSync();
    this.#syncAtMs = nowMs + withinMs;
    this.#cancelSync = this.timers.after(Math.min(withinMs, TIMER_MS_MAX), () => {
      this.#syncAtMs = Number.POSITIVE_INFINITY;
      this.sync().catch(() => {});
    });
  }

  /** Everything that was written before the call is on the disk when it resolves. */
  #sync(): Promise<void> {
    if (!this.#syncing && !this.#nextSync) return this.#beginSync();
    // One that runs may have begun before the last write: who comes meanwhile shares the next.
    this.#nextSync ??= (async () => {
      await this.#syncing?.catch(() => {});
      this.#nextSync = undefined;
      await this.#beginSync();
    })();
    return this.#nextSync;
  }

  #beginSync(): Promise<void> {
    this.#syncing = this.#datasync().finally(() => {
      this.#syncing = undefined;
    });
    return this.#syncing;
  }

  async #datasync(): Promise<void> {
    if (this.#syncFailure) throw this.#syncFailure.cause;
    if (!this.#handle) throw this.#failure;
    const place = this.kept.at(-1)!;
    const { end } = place;
    const count = this.#owed.length;
    this.#cancelSync();
    this.#syncAtMs = Number.POSITIVE_INFINITY;
    try {
      await this.#handle.datasync();
    } catch (error) {
      this.#syncFailure = { cause: error };
      throw error;
    }
    place.synced = end;
    if (count > 0) this.#settle(count);
  }

  /** The oldest that are owed are on the disk. */
  #settle(count: number): void {
    for (const item of this.#owed.splice(0, count)) {
      this.owedBytes -= item.entry.length;
      item.owe(false);
    }
  }

  #takeGroup(): WalItem[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#queue.length && (count === 0 || bytes < GROUP_BYTES_MAX)) {
      bytes += this.#queue[count]!.entry.length;
      count += 1;
    }
    if (count === this.#queue.length) {
      const all = this.#queue;
      this.#queue = [];
      return all;
    }
    return this.#queue.splice(0, count);
  }

  async #rotate(): Promise<void> {
    try {
      const { end, synced } = this.kept.at(-1)!;
      if (synced < end) await this.#sync();
      await this.#startFile();
    } catch (error) {
      this.fail(error);
      await this.#release();
      return;
    }
    this.onRotate();
  }

  async #startFile(): Promise<void> {
    const file = this.nextFile++;
    const previous = this.kept.at(-1);
    const header = encodeWalHeader({
      file,
      previousFile: previous?.file ?? 0,
      previousEnd: previous?.end ?? 0,
    });
    const owed = this.#owed.length;
    let end = WAL_HEADER_BYTES;
    const handle = await this.files.open(walPath(this.directory, file), 'create');
    try {
      // Before the header, which ends the file before: a process that dies between finds them in either.
      if (owed > 0) end += await writeAll(handle, encodeGroup(this.#owed, file, end, end), end);
      await writeAll(handle, [header], 0);
      await handle.datasync();
      await this.files.syncDirectory(this.directory);
    } catch (error) {
      await handle.close().catch(() => {});
      await this.files.remove(walPath(this.directory, file)).catch(() => {});
      throw error;
    }
    const before = this.#handle;
    this.#handle = handle;
    this.#syncFailure = undefined;
    this.#settle(owed);
    this.kept.push({ file, end, synced: end });
    await before?.close().catch(() => {});
  }

  async #release(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close().catch(() => {});
  }
}

/** Fills in the frames. Entries that follow each other in memory, as those of one slab do, are one part of the write. */
function encodeGroup(group: readonly WalItem[], file: number, start: number, synced: number): Buffer[] {
  const chunks: Buffer[] = [];
  let position = start;
  let run = group[0]!.entry;
  let runEnd = run.byteOffset;
  for (const { topicId, partition, entry } of group) {
    encodeFrame(entry, topicId, partition, { file, position, synced });
    position += entry.length;
    if (entry.buffer !== run.buffer || entry.byteOffset !== runEnd) {
      chunks.push(piece(run, runEnd));
      run = entry;
    }
    runEnd = entry.byteOffset + entry.length;
  }
  chunks.push(piece(run, runEnd));
  return chunks;
}

/** From where `first` begins to `end` in the memory that it is a part of. */
function piece(first: Buffer, end: number): Buffer {
  return Buffer.from(first.buffer, first.byteOffset, end - first.byteOffset);
}
