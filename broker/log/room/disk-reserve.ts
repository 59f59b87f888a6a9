import { writeAll } from '../../host/files.ts';
import type { Host } from '../../host/host.ts';

/** Written at once. */
const PIECE_BYTES = 256 * 1024;

/**
 * A file of no use but its size: given up when the disk is full, so that a checkpoint can be written, without
 * which retention may not remove anything. Made again when there is room.
 */
export class DiskReserve {
  readonly host: Host;
  readonly dataDir: string;
  readonly bytes: number;
  #held = false;

  constructor(host: Host, dataDir: string, bytes: number) {
    this.host = host;
    this.dataDir = dataDir;
    this.bytes = bytes;
  }

  get held(): boolean {
    return this.#held;
  }

  /** Looks whether an earlier run left it; one that was not finished counts as none. */
  async find(): Promise<void> {
    this.#held = (await this.host.files.stat(this.#path))?.size === this.bytes;
  }

  /** Makes it when it is absent and as much as `spareBytes` stays free. A disk that refuses leaves none. */
  async make(spareBytes: number): Promise<void> {
    if (this.#held || this.bytes === 0) return;
    const { files } = this.host;
    try {
      const { freeBytes } = await files.space(this.dataDir);
      if (freeBytes < this.bytes + spareBytes) return;
      await this.#write();
      this.#held = true;
    } catch (error) {
      this.host.log.warn(
        { error: String(error) },
        'cannot keep a reserve for a full disk; it is tried again',
      );
      await files.remove(this.#path).catch(() => {});
    }
  }

  /** Frees its bytes. */
  async release(): Promise<void> {
    if (!this.#held) return;
    const { files } = this.host;
    await files.remove(this.#path);
    this.#held = false;
    // Journaling file systems give blocks out again only when their removal is durable.
    await files.syncDirectory(this.dataDir);
    this.host.log.warn({ bytes: this.bytes }, 'the disk is full: gave up the reserve');
  }

  get #path(): string {
    return `${this.dataDir}/reserve`;
  }

  async #write(): Promise<void> {
    const { files, random } = this.host;
    const file = await files.open(this.#path, 'write');
    try {
      for (let at = 0; at < this.bytes; at += PIECE_BYTES) {
        // Random: zeros would take no room on a file system that compresses.
        await writeAll(file, [random.bytes(Math.min(PIECE_BYTES, this.bytes - at))], at);
      }
      await file.truncate(this.bytes);
      await file.datasync();
    } finally {
      await file.close();
    }
    await files.syncDirectory(this.dataDir);
  }
}
