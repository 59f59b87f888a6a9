import type { Host } from '../../host/host.ts';
import type { LogConfig } from '../config.ts';
import { DiskReserve } from './disk-reserve.ts';
import type { Partition } from '../partition/partition.ts';
import type { Wal } from '../wal/wal.ts';

/** Free when appends are taken again: less, and the disk would be full again at once. */
const RESUME_FREE_BYTES = 32 * 1024 * 1024;
/** Of that, what a checkpoint needs. */
const CHECKPOINT_SHARE = 1 / 32;

/** How much is free on the disk behind what waits in memory for it, and what that is enough for. */
export class DiskRoom {
  readonly #host: Host;
  readonly #dataDir: string;
  readonly #wal: Wal;
  readonly #partitions: () => Partition[];
  readonly #reserve: DiskReserve;
  readonly #resumeFreeBytes: number;

  constructor(host: Host, config: LogConfig, wal: Wal, partitions: () => Partition[]) {
    this.#host = host;
    this.#dataDir = config.dataDir;
    this.#wal = wal;
    this.#partitions = partitions;
    this.#reserve = new DiskReserve(host, config.dataDir, config.reserveBytes);
    this.#resumeFreeBytes = Math.min(RESUME_FREE_BYTES, config.walFileBytes);
  }

  /** Looks for the reserve of an earlier run. */
  async findReserve(): Promise<void> {
    await this.#reserve.find();
  }

  /** Makes the reserve when it is absent and there is plenty of room beside it. */
  async keepReserve(): Promise<void> {
    await this.#reserve.make(this.#resumeFreeBytes);
  }

  async releaseReserve(): Promise<void> {
    await this.#reserve.release();
  }

  /**
   * What was replayed is not written where a checkpoint would not fit behind it: the little that is free is what
   * retention needs, to say what may go. Throws ENOSPC.
   */
  async wantCheckpointRoom(): Promise<void> {
    const leftBytes = await this.#leftBytes();
    if (this.#fitsCheckpoint(leftBytes)) return;
    const error = new Error(`ENOSPC: got ${leftBytes} bytes left behind what was replayed`);
    throw Object.assign(error, { code: 'ENOSPC' });
  }

  /** For what waits in memory and a checkpoint now, and behind the checkpoint, which frees the write-ahead log. */
  async isEnoughToResume(): Promise<boolean> {
    const leftBytes = await this.#leftBytes();
    return this.#fitsCheckpoint(leftBytes) && leftBytes + this.#wal.files.bytes >= this.#resumeFreeBytes;
  }

  #fitsCheckpoint(leftBytes: number): boolean {
    return leftBytes >= this.#resumeFreeBytes * CHECKPOINT_SHARE;
  }

  /** Free behind what waits in memory. */
  async #leftBytes(): Promise<number> {
    const { freeBytes } = await this.#host.files.space(this.#dataDir);
    let unwrittenBytes = this.#wal.owedBytes;
    for (const { tail } of this.#partitions()) unwrittenBytes += tail.unwrittenBytes;
    return freeBytes - unwrittenBytes;
  }
}
