import type { Host } from '../../../broker/host/host.ts';
import { replaceFile } from '../../../broker/host/files.ts';
import type { HeadDigest } from './head.ts';

/**
 * How far one file was acknowledged. An entry lives as long as the file's content: truncation starts a new
 * one, with a new source, since offsets start again.
 */
export interface Position {
  /** Names this content in `millrace-source`, for ever: never used for another file. */
  readonly source: string;
  /** Where the file was first seen: what its records say, also for what is read after a rename. */
  readonly path: string;
  device: number;
  readonly inode: number;
  /** When the file was made, ms; 0 when unknown. A number used again by the system has another time. */
  bornMs: number;
  /** When it was truncated and began with this content, ms; absent: when it was made. By the file system's clock. */
  readonly truncatedMs?: number | undefined;
  head: HeadDigest;
  /** Everything before it was acknowledged by the collector. */
  offset: number;
  /** What was sent last was the beginning of a line whose end had not come. */
  midLine: boolean;
  /** Time of the last record, ns: later ones are greater, also after a restart with the clock set back. */
  lastNs: bigint;
  /** When the file was last there, ms. */
  seenMs: number;
}

/** Files that are gone are remembered this long: as long as one may be moved back or restored from a copy. */
const FORGET_AFTER_MS = 24 * 3_600_000;

/** Checkpoints are written at most this often: an fsync each, and after a crash so much is sent again. */
const WRITE_INTERVAL_MS = 200;

const VERSION = 1;

/**
 * The checkpoint file: all positions as JSON, replaced as a whole (temporary file, fsync, rename, fsync of the
 * directory), so that a crash leaves the old one or the new one.
 */
export class Positions {
  readonly entries = new Set<Position>();
  /** The agent's own id, made at its first start. */
  agentId = '';
  private readonly host: Host;
  private readonly path: string;
  private readonly onError: (error: unknown) => void;
  private readonly unsaved = new Set<Position>();
  private changedMs: number | undefined;
  private wroteMs = Number.NEGATIVE_INFINITY;
  private cancelTimer: (() => void) | undefined;
  private writing: Promise<void> | undefined;
  private closed = false;

  private constructor(host: Host, path: string, onError: (error: unknown) => void) {
    this.host = host;
    this.path = path;
    this.onError = onError;
  }

  /** Reads the checkpoint. One that cannot be understood is put aside and told: then all is sent again. */
  static async open(host: Host, dataDir: string, onError: (error: unknown) => void): Promise<Positions> {
    const positions = new Positions(host, `${dataDir}/positions.json`, onError);
    await host.files.makeDirectory(dataDir);
    const content = await host.files.readFile(positions.path);
    if (content) {
      try {
        positions.restore(content);
      } catch (error) {
        const aside = `${positions.path}.unreadable-${host.clock.nowMs()}`;
        await host.files.rename(positions.path, aside);
        positions.entries.clear();
        host.log.error(
          { path: positions.path, aside, error: String(error) },
          'positions are unreadable: files are read again from their beginning',
        );
      }
    }
    positions.agentId ||= host.random.uuid();
    // Written once at the start, so that a directory which cannot be written stops it.
    await replaceFile(host.files, positions.path, positions.content());
    return positions;
  }

  /** A position for a file that was not seen before, at its beginning. */
  create(of: Pick<Position, 'path' | 'device' | 'inode' | 'bornMs' | 'head' | 'truncatedMs'>): Position {
    const source = `${this.agentId}/${this.host.random.bytes(8).toString('hex')}`;
    const position: Position = { ...of, source, offset: 0, midLine: false, lastNs: 0n, seenMs: 0 };
    this.entries.add(position);
    this.unsaved.add(position);
    return position;
  }

  /** The same content and source in another file, a copy: goes on where the first was. */
  copy(position: Position, to: Pick<Position, 'device' | 'inode' | 'bornMs'>): Position {
    const copy = { ...position, ...to, truncatedMs: undefined };
    this.entries.add(copy);
    this.unsaved.add(copy);
    return copy;
  }

  remove(position: Position): void {
    this.entries.delete(position);
    this.unsaved.delete(position);
    this.changed();
  }

  /** Resolves when the position's source is on the disk: before that its first record must not leave. */
  async known(position: Position): Promise<void> {
    while (this.unsaved.has(position)) await this.write();
  }

  /** Something moved: written soon. */
  changed(): void {
    this.changedMs ??= this.host.clock.monotonicMs();
    if (this.closed) return;
    const sinceMs = this.host.clock.monotonicMs() - this.wroteMs;
    this.cancelTimer ??= this.host.timers.after(Math.max(WRITE_INTERVAL_MS - sinceMs, 0), () => {
      this.cancelTimer = undefined;
      void this.write();
    });
  }

  /** How long an acknowledgement has been waiting to be written, ms; 0 when none is. */
  ageMs(): number {
    return this.changedMs === undefined ? 0 : this.host.clock.monotonicMs() - this.changedMs;
  }

  /** Writes now, or joins a write that is running, which may miss the latest changes. Never rejects. */
  async write(): Promise<void> {
    if (this.writing) return this.writing;
    this.writing = this.writeOnce();
    try {
      await this.writing;
    } finally {
      this.writing = undefined;
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    this.cancelTimer?.();
    await this.writing;
    if (this.changedMs !== undefined) await this.write();
  }

  private async writeOnce(): Promise<void> {
    const saving = [...this.unsaved];
    const since = this.changedMs;
    this.wroteMs = this.host.clock.monotonicMs();
    this.changedMs = undefined;
    this.forgetOld();
    try {
      await replaceFile(this.host.files, this.path, this.content());
    } catch (error) {
      // Sending goes on: what is acknowledged meanwhile is at worst sent twice after a crash.
      this.onError(error);
      this.changedMs = since;
      this.changed();
    }
    for (const position of saving) this.unsaved.delete(position);
  }

  private forgetOld(): void {
    const beforeMs = this.host.clock.nowMs() - FORGET_AFTER_MS;
    for (const position of this.entries) {
      if (position.seenMs < beforeMs && position.seenMs > 0) this.entries.delete(position);
    }
  }

  private content(): Buffer {
    const files = [...this.entries].map((one) => ({ ...one, lastNs: String(one.lastNs) }));
    return Buffer.from(`${JSON.stringify({ version: VERSION, agentId: this.agentId, files })}\n`);
  }

  private restore(content: Buffer): void {
    const saved = JSON.parse(content.toString('utf8')) as {
      version: number;
      agentId: string;
      files: Array<Omit<Position, 'lastNs'> & { lastNs: string }>;
    };
    if (saved.version !== VERSION) {
      throw new Error(`cannot read positions: got version ${saved.version}, want ${VERSION}`);
    }
    this.agentId = saved.agentId;
    for (const file of saved.files) {
      if (!Number.isSafeInteger(file.offset) || typeof file.head.hash !== 'string') {
        throw new Error(`cannot read positions: got an entry without offset or head for ${file.path}`);
      }
      this.entries.add({ ...file, lastNs: BigInt(file.lastNs) });
    }
  }
}
