import { basename, dirname, extname, matchesGlob, resolve } from 'node:path';

import type { Host } from '../../../broker/host/host.ts';
import { Writer } from '../../../broker/records/otlp/writer.ts';
import type { AgentMetrics } from '../agent-metrics.ts';
import type { AgentConfig } from '../config.ts';
import { findFile, findFiles, type FoundFile } from './find-files.ts';
import { isCompressed, digestOf, readHead } from './head.ts';
import { Hints } from './hints.ts';
import { findMissed, findMoved, isCopy, recognise } from './known-files.ts';
import { encodeResource, type LineBatch } from './line-batch.ts';
import type { Position, Positions } from './positions.ts';
import { TailedFile, type Tools } from './tailed-file.ts';
import { Turns } from './turns.ts';

/** Batches that one file sends before others get their turn: about 4 MB. */
const BATCHES_PER_TURN = 8;

/** Hints come in bursts: they wait this long for each other. */
const HINT_DELAY_MS = 10;

/** Sends a batch until it is acknowledged, moving its position; false when the agent stopped before. */
export type Deliver = (batch: LineBatch) => Promise<boolean>;

/**
 * Follows the files that the configuration names: scans for them, looks at each, reads what is new and sends
 * it, one batch of a file at a time.
 */
export class Tail {
  private readonly host: Host;
  private readonly config: AgentConfig;
  private readonly metrics: AgentMetrics;
  private readonly positions: Positions;
  private readonly deliver: Deliver;
  private readonly tools: Tools;
  private readonly turns: Turns;
  private readonly hostName: string;
  /** By device and inode. */
  private readonly files = new Map<string, TailedFile>();
  private readonly reading = new Map<TailedFile, Promise<void>>();
  /** When a file's last reading started, ms. */
  private readonly startedMs = new WeakMap<TailedFile, number>();
  /** For which `changedMs` a file's last piece was already given out or tried. */
  private readonly finished = new WeakMap<TailedFile, number>();
  /** Files that are left alone (compressed, not readable), so that this is told once. */
  private readonly ignored = new Map<string, number>();
  private readonly hints = new Hints((path) => this.hinted(path));
  private readonly hintedPaths = new Set<string>();
  private readonly cancels: Array<() => void> = [];
  private cancelHint: (() => void) | undefined;
  private polling: Promise<void> | undefined;
  private scanAtMs = 0;
  private scanned = false;
  private full = false;
  private stopped = false;

  constructor(
    host: Host,
    config: AgentConfig,
    hostName: string,
    metrics: AgentMetrics,
    positions: Positions,
    deliver: Deliver,
  ) {
    this.host = host;
    this.config = config;
    this.hostName = hostName;
    this.metrics = metrics;
    this.positions = positions;
    this.deliver = deliver;
    this.turns = new Turns(config.batch.filesInFlightMax);
    this.tools = { host, config, metrics, positions, writer: new Writer(), chunks: [] };
  }

  /** Begins to look by itself; without it, `poll` is driven by hand. */
  start(): void {
    const poll = (): void => void this.poll();
    this.cancels.push(this.host.timers.every(this.config.tail.pollIntervalMs, poll));
    poll();
  }

  /** Open files, and the bytes in them that were seen and not read. */
  status(): { files: number; unreadBytes: number } {
    let unreadBytes = 0;
    for (const file of this.files.values()) unreadBytes += file.unreadBytes;
    return { files: this.files.size, unreadBytes };
  }

  /** Looks at everything once and starts reading what changed. Never rejects. */
  poll(): Promise<void> {
    this.polling ??= this.look()
      .catch((error: unknown) => this.host.log.error({ error: String(error) }, 'a look at the files failed'))
      .finally(() => {
        this.polling = undefined;
      });
    return this.polling;
  }

  /** Resolves when nothing is being read or sent. */
  async settled(): Promise<void> {
    while (this.reading.size > 0) await Promise.all(this.reading.values());
  }

  /** No new looks and no further batches; what is on its way goes on. */
  stop(): void {
    this.stopped = true;
    for (const cancel of this.cancels.splice(0)) cancel();
    this.cancelHint?.();
    this.hints.close();
  }

  async close(): Promise<void> {
    await this.polling;
    for (const file of this.files.values()) await file.close();
    this.files.clear();
  }

  private async look(): Promise<void> {
    const nowMs = this.host.clock.monotonicMs();
    const away: TailedFile[] = [];
    for (const file of this.files.values()) {
      if (file.state === 'open' && !this.isAtItsPath(file)) away.push(file);
    }
    if (away.length > 0 || !this.scanned || nowMs >= this.scanAtMs) {
      this.scanAtMs = nowMs + this.config.tail.scanIntervalMs;
      await this.scan();
    }
    for (const file of away) if (file.state === 'moved') await this.openMissed(file.position);
    for (const file of this.files.values()) await this.check(file);
  }

  /** Looks at the path: the same file (perhaps grown), or not any more. */
  private isAtItsPath(file: TailedFile): boolean {
    const found = findFile(file.path);
    if (found && file.isSame(found)) {
      file.position.seenMs = this.host.clock.nowMs();
      if (file.position.bornMs === 0) file.position.bornMs = found.bornMs;
      if (file.noticed(found.size, found.modifiedMs)) file.pending = true;
      return true;
    }
    file.moved();
    return false;
  }

  private async check(file: TailedFile): Promise<void> {
    if (file.state === 'moved' && (await file.look())) file.pending = true;
    if (this.reading.has(file)) return;
    if (file.pending) {
      this.read(file, false);
      return;
    }
    const { closeAfterMs, partialAfterMs } = this.config.tail;
    const patienceMs = file.state === 'moved' ? closeAfterMs : partialAfterMs;
    if (file.quietMs() < patienceMs) return;
    if (file.unreadBytes > 0 && this.finished.get(file) !== file.changedMs) {
      this.finished.set(file, file.changedMs);
      this.read(file, true);
    } else if (file.state === 'moved') {
      this.files.delete(identityOf(file.position));
      this.metrics.lostBytes.add(file.unreadBytes, { reason: 'closed' });
      await file.close();
    }
  }

  private async scan(): Promise<void> {
    for (const { path } of this.config.files) {
      for (const found of findFiles(path)) {
        const file = this.files.get(identityOf(found));
        if (!file) await this.open(found);
        // Renamed to a name that is followed as well, or renamed back.
        else if (file.state === 'moved') file.foundAt(found.path);
      }
    }
    if (!this.scanned) await this.openMoved();
    this.scanned = true;
  }

  /** Files with unread lines that were rotated away while the agent was stopped. */
  private async openMoved(): Promise<void> {
    const oldest = new Map<string, Position>();
    for (const position of this.positions.entries) {
      const { path } = position;
      if (!this.entryOf(path)) continue;
      if (!this.files.has(identityOf(position))) {
        const found = findMoved(position);
        if (found) position.bornMs ||= found.bornMs;
        if (found && found.size > position.offset) (await this.open(found, { as: position }))?.moved();
      }
      if (position.bornMs > 0 && position.bornMs < (oldest.get(path)?.bornMs ?? Infinity)) {
        oldest.set(path, position);
      }
    }
    for (const position of oldest.values()) await this.openMissed(position);
  }

  /** Files that came and went at the path of a rotated one between two looks. */
  private async openMissed(rotated: Position): Promise<void> {
    const { path, inode } = rotated;
    if (!this.entryOf(path)) return;
    const bornMs = rotated.bornMs || (findMoved(rotated)?.bornMs ?? 0);
    for (const found of findMissed(path, { inode, bornMs })) {
      if (!this.files.has(identityOf(found))) (await this.open(found, { madeAt: path }))?.moved();
    }
  }

  private entryOf(path: string): AgentConfig['files'][number] | undefined {
    return this.config.files.find(
      (entry) => path === resolve(entry.path) || matchesGlob(path, resolve(entry.path)),
    );
  }

  /**
   * Opens a file where it was found. `as`: only if it is that one. `madeAt`: only if it is new, and then as one
   * that was written under this path.
   */
  private async open(
    found: FoundFile,
    { as, madeAt }: { as?: Position; madeAt?: string } = {},
  ): Promise<TailedFile | undefined> {
    if (this.files.size >= this.config.tail.filesMax) {
      if (!this.full) {
        const { filesMax } = this.config.tail;
        this.host.log.warn({ filesMax, path: found.path }, 'too many open files: further files wait');
      }
      this.full = true;
      return undefined;
    }
    const identity = identityOf(found);
    if (this.ignored.get(identity) === found.modifiedMs) return undefined;
    try {
      const handle = await this.host.files.open(found.path, 'read');
      const stat = await handle.stat();
      const head = await readHead(handle);
      const swapped = stat.device !== found.device || stat.inode !== found.inode;
      const recognised = recognise(this.positions, found, head);
      const known = recognised.type === 'known' ? recognised.position : undefined;
      const unwanted =
        (as !== undefined && known !== as) ||
        (madeAt !== undefined && (known !== undefined || isCopy(this.positions, head)));
      if (swapped || unwanted || isCompressed(head)) {
        await handle.close();
        if (isCompressed(head)) this.ignore(found, 'compressed');
        return undefined;
      }
      if (recognised.type === 'new' && recognised.instead) this.positions.remove(recognised.instead);
      const { device, inode, bornMs } = found;
      const position =
        known ??
        this.positions.create({ device, inode, bornMs, path: madeAt ?? found.path, head: digestOf(head) });
      position.device = found.device;
      position.seenMs = this.host.clock.nowMs();
      const serviceName = this.entryOf(position.path)?.serviceName ?? nameOf(position.path);
      const attributes = { 'service.name': serviceName, 'host.name': this.hostName };
      const file = new TailedFile(this.tools, handle, head, position, encodeResource(attributes));
      file.path = found.path;
      file.pending = file.noticed(stat.size, stat.modifiedMs);
      this.files.set(identity, file);
      this.hints.watch(dirname(found.path));
      this.host.log.info(
        { path: found.path, offset: position.offset, size: stat.size },
        'following the file',
      );
      return file;
    } catch (error) {
      // Gone again, or not ours to read.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.ignore(found, String(error));
      return undefined;
    }
  }

  /** Leaves a file alone until it changes, and says so once. */
  private ignore({ path, modifiedMs, ...found }: FoundFile, reason: string): void {
    // Forgotten all at once when there are very many: the worst is that they are told again.
    if (this.ignored.size > 10_000) this.ignored.clear();
    this.ignored.set(identityOf(found), modifiedMs);
    this.host.log.warn({ path, reason }, 'the file is not followed');
  }

  private read(file: TailedFile, final: boolean): void {
    if (this.reading.has(file) || this.stopped) return;
    file.pending = false;
    this.startedMs.set(file, this.host.clock.monotonicMs());
    const reading = this.readAll(file, final)
      .catch((error: unknown) => {
        file.pending = true;
        this.host.log.error({ path: file.path, error: String(error) }, 'cannot read the file, trying again');
      })
      .finally(() => this.reading.delete(file));
    this.reading.set(file, reading);
  }

  private async readAll(file: TailedFile, final: boolean): Promise<void> {
    for (let more = true; more && !this.stopped;) {
      await this.turns.take();
      try {
        more = await this.readTurn(file, final);
      } finally {
        this.turns.give();
      }
    }
  }

  /** Some batches of one file; the next is read while one is on its way. True when there may be more. */
  private async readTurn(file: TailedFile, final: boolean): Promise<boolean> {
    let sending = Promise.resolve(true);
    try {
      for (let batches = 0; batches < BATCHES_PER_TURN; batches += 1) {
        const batch = await file.next(final);
        if (!(await sending) || !batch) return false;
        await this.positions.known(batch.position);
        sending = this.deliver(batch);
        if (this.stopped) break;
      }
      return await sending;
    } finally {
      await sending;
    }
  }

  private hinted(path: string): void {
    this.hintedPaths.add(path);
    this.cancelHint ??= this.host.timers.after(HINT_DELAY_MS, () => {
      this.cancelHint = undefined;
      const paths = [...this.hintedPaths];
      this.hintedPaths.clear();
      if (this.stopped) return;
      const nowMs = this.host.clock.monotonicMs();
      for (const file of this.files.values()) {
        if (file.state !== 'open' || !paths.includes(file.path) || this.reading.has(file)) continue;
        // A busy file gathers lines for a fuller batch: the next look comes soon enough.
        if (nowMs - (this.startedMs.get(file) ?? 0) < this.config.batch.lingerMs) continue;
        if (this.isAtItsPath(file) && file.pending) this.read(file, false);
      }
    });
  }
}

function identityOf({ device, inode }: { device: number; inode: number }): string {
  return `${device}:${inode}`;
}

/** The base name without its extension. */
function nameOf(path: string): string {
  return basename(path, extname(path));
}
