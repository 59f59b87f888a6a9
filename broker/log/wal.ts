import { type FileHandle, type Files, writeAll } from '../host/files.ts';
import type { Clock, Timers } from '../host/host.ts';
import { LogError } from './errors.ts';
import type { LogMetrics } from './log-metrics.ts';
import { encodeFrame, encodeWalHeader, FRAME_BYTES, WAL_HEADER_BYTES } from './wal-entry.ts';
import { walPath } from './wal-scan.ts';

/**
 * The write-ahead log: one file that takes the batches of all partitions, in the order of their appends, and
 * one fdatasync for all that arrived while the last one ran.
 *
 * What a failed write or sync leaves behind is unknown, so the file is given up with it: all that waits is
 * refused, newest first, and writing goes on only in a new file (`open`), whose header says how much of the
 * old one counts.
 */
export interface WalItem {
  readonly topicId: Buffer;
  readonly partition: number;
  readonly batch: Buffer;
  /** The batch is durable. */
  committed(): void;
  /** The batch is not in the log; called in the reverse order of the appends. */
  refused(error: LogError): void;
}

/** One group: bounds the time that the first in it waits for the last. */
const GROUP_BYTES_MAX = 16 * 1024 * 1024;
/** Up to this, copying into one buffer is cheaper than one more part of a gathered write. */
const COPIED_BYTES_MAX = 16 * 1024;

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
  /** Files that hold what no checkpoint covers yet, with what of them counts. The last is being written. */
  kept: Array<{ file: number; end: number }> = [];
  /** Number of the next file: never one that was used before. */
  nextFile = 1;
  /** Waiting and being written. */
  queuedBytes = 0;

  #handle: FileHandle | undefined;
  #queue: WalItem[] = [];
  #running: Promise<void> | undefined;
  #scheduled = false;
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

  /** Starts a new file; durable, with its name, when it resolves. Throws what the disk says. */
  async open(): Promise<void> {
    await this.drain();
    await this.#release();
    await this.#startFile();
    this.#failure = undefined;
  }

  /** Takes back a file that was opened and not used. */
  async discardUnused(): Promise<void> {
    const last = this.kept.at(-1);
    if (!last || last.end > WAL_HEADER_BYTES) return;
    await this.#release();
    this.kept.pop();
    await this.files.remove(walPath(this.directory, last.file)).catch(() => {});
  }

  /** Queues one batch, which may not change any more. */
  append(item: WalItem): void {
    if (this.#failure) throw this.#failure;
    this.#queue.push(item);
    this.queuedBytes += item.batch.length;
    this.#schedule();
  }

  /** Resolves when nothing waits any more, done or refused. */
  async drain(): Promise<void> {
    while (this.#queue.length > 0 || this.#running) {
      if (!this.#running) this.#start();
      await this.#running;
    }
  }

  /** Stops taking; what waits is written first. */
  async close(): Promise<void> {
    await this.drain();
    this.#failure ??= new LogError('KAFKA_STORAGE_ERROR', 'cannot append: the log is closed');
    await this.#release();
  }

  /** Gives the file up: what waits is refused, newest first. A group that is being written takes its course. */
  fail(cause: unknown): void {
    const first = !this.#failure;
    if (!this.#failure) {
      const why = cause instanceof Error ? cause.message : String(cause);
      this.#failure = new LogError('KAFKA_STORAGE_ERROR', `cannot append: the disk refuses (${why})`, cause);
    }
    const refused = this.#queue;
    this.#queue = [];
    for (let i = refused.length - 1; i >= 0; i--) {
      this.queuedBytes -= refused[i]!.batch.length;
      refused[i]!.refused(this.#failure);
    }
    if (first) this.onFailure(this.#failure);
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
      const group = this.#takeGroup();
      const place = this.kept.at(-1)!;
      const startedMs = this.clock.monotonicMs();
      let end: number;
      try {
        const chunks = encodeGroup(group, place.file, place.end);
        end = place.end + (await writeAll(this.#handle!, chunks, place.end));
        await this.#handle!.datasync();
      } catch (error) {
        this.#queue = [...group, ...this.#queue];
        this.fail(error);
        await this.#release();
        return;
      }
      const bytes = end - place.end;
      place.end = end;
      this.metrics.committed(group.length, bytes, this.clock.monotonicMs() - startedMs);
      for (const item of group) {
        this.queuedBytes -= item.batch.length;
        item.committed();
      }
      if (end >= this.fileBytes) await this.#rotate();
    }
  }

  #takeGroup(): WalItem[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#queue.length && (count === 0 || bytes < GROUP_BYTES_MAX)) {
      bytes += this.#queue[count]!.batch.length;
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
    const handle = await this.files.open(walPath(this.directory, file), 'create');
    try {
      await writeAll(handle, [header], 0);
      await handle.datasync();
      await this.files.syncDirectory(this.directory);
    } catch (error) {
      await handle.close().catch(() => {});
      await this.files.remove(walPath(this.directory, file)).catch(() => {});
      throw error;
    }
    await this.#release();
    this.#handle = handle;
    this.kept.push({ file, end: WAL_HEADER_BYTES });
  }

  async #release(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close().catch(() => {});
  }
}

/** Frames and batches as the parts of one gathered write; small batches are copied behind their frames. */
function encodeGroup(group: readonly WalItem[], file: number, start: number): Buffer[] {
  let copied = 0;
  for (const { batch } of group)
    copied += FRAME_BYTES + (batch.length <= COPIED_BYTES_MAX ? batch.length : 0);
  const staging = Buffer.allocUnsafe(copied);
  const chunks: Buffer[] = [];
  let position = start;
  let taken = 0;
  let at = 0;
  for (const { topicId, partition, batch } of group) {
    encodeFrame(staging, at, topicId, partition, batch, { file, position, synced: start });
    at += FRAME_BYTES;
    position += FRAME_BYTES + batch.length;
    if (batch.length <= COPIED_BYTES_MAX) {
      batch.copy(staging, at);
      at += batch.length;
    } else {
      chunks.push(staging.subarray(taken, at), batch);
      taken = at;
    }
  }
  if (at > taken) chunks.push(staging.subarray(taken, at));
  return chunks;
}
