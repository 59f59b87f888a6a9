import { join } from 'node:path';

import type { FileHandle } from '../../../broker/host/files.ts';
import { writeAll } from '../../../broker/host/files.ts';
import type { Host } from '../../../broker/host/host.ts';
import {
  checkBatch,
  CRC_START,
  lastOffsetOf,
  maxTimestampOf,
  recordCountOf,
  stampBatch,
} from '../../../broker/log/batch/batch-header.ts';
import { crc32c } from '../../../broker/log/batch/crc32c.ts';
import { SegmentIndex } from '../../../broker/log/segment/segment-index.ts';

const LIMITS = { maxMessageBytes: 1024 * 1024, segmentBytes: 1024 * 1024 * 1024 };

/**
 * The other layout, with the same checks, header, index and checksums as the real one: each partition appends to its
 * own file, and syncs it once for all that came while the last sync ran. What it lacks flatters it: recovery needs
 * a mark of what is durable, files roll, and here all stay open.
 */
export class FilesLog {
  readonly #partitions: FilesPartition[];

  private constructor(partitions: FilesPartition[]) {
    this.#partitions = partitions;
  }

  static async open(host: Host, directory: string, partitions: number): Promise<FilesLog> {
    const made: FilesPartition[] = [];
    for (let i = 0; i < partitions; i += 1) {
      const file = await host.files.open(join(directory, `${i}.log`), 'create');
      made.push(new FilesPartition(host, file));
    }
    await host.files.syncDirectory(directory);
    return new FilesLog(made);
  }

  append(partition: number, batch: Buffer): Promise<void> {
    return this.#partitions[partition]!.append(batch);
  }

  async close(): Promise<void> {
    for (const partition of this.#partitions) await partition.close();
  }
}

class FilesPartition {
  readonly #host: Host;
  readonly #file: FileHandle;
  readonly #index = new SegmentIndex(0);
  #headsCrc = 0;
  #endOffset = 0;
  #bytes = 0;
  #queue: Array<{ batch: Buffer; done: () => void; failed: (error: unknown) => void }> = [];
  #scheduled = false;

  constructor(host: Host, file: FileHandle) {
    this.#host = host;
    this.#file = file;
  }

  append(batch: Buffer): Promise<void> {
    checkBatch(batch, LIMITS, { origin: 'client' });
    stampBatch(batch, this.#endOffset, 0);
    this.#endOffset += recordCountOf(batch);
    return new Promise((done, failed) => {
      this.#queue.push({ batch, done, failed });
      if (this.#scheduled) return;
      this.#scheduled = true;
      this.#host.timers.soon(() => void this.#run());
    });
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      const group = this.#queue;
      this.#queue = [];
      try {
        await this.#commit(group.map(({ batch }) => batch));
        for (const { done } of group) done();
      } catch (error) {
        for (const { failed } of group) failed(error);
      }
    }
    this.#scheduled = false;
  }

  async #commit(batches: readonly Buffer[]): Promise<void> {
    const written = await writeAll(this.#file, batches, this.#bytes);
    await this.#file.datasync();
    let at = this.#bytes;
    for (const batch of batches) {
      this.#headsCrc = crc32c(batch, 0, CRC_START, this.#headsCrc);
      this.#index.add(lastOffsetOf(batch), maxTimestampOf(batch), at, batch.length);
      at += batch.length;
    }
    this.#bytes += written;
  }
}
