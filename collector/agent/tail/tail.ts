import type { Host } from '../../../broker/host/host.ts';
import { Writer } from '../../../broker/records/otlp/writer.ts';
import type { AgentMetrics } from '../agent-metrics.ts';
import type { AgentConfig } from '../config.ts';
import { findFile } from './find-files.ts';
import { FollowedFiles } from './followed-files.ts';
import { Hints } from './hints.ts';
import type { Position, Positions } from './positions.ts';
import { type Deliver, Readings } from './readings.ts';
import type { TailedFile } from './tailed-file.ts';

/** Hints come in bursts: they wait this long for each other. */
const HINT_DELAY_MS = 10;

/**
 * Follows the files that the configuration names: looks for them and at each of them, and has read what is new.
 */
export class Tail {
  private readonly host: Host;
  private readonly config: AgentConfig;
  private readonly metrics: AgentMetrics;
  private readonly files: FollowedFiles;
  private readonly readings: Readings;
  /** For which `changedMs` a file's last piece was already given out or tried. */
  private readonly finished = new WeakMap<TailedFile, number>();
  private readonly hints = new Hints((path) => this.hinted(path));
  private readonly hintedPaths = new Set<string>();
  private readonly cancels: Array<() => void> = [];
  private cancelHint: (() => void) | undefined;
  private polling: Promise<void> | undefined;
  private scanAtMs = 0;
  /** Of files that were rotated since the last scan. */
  private readonly rotated: Position[] = [];
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
    this.metrics = metrics;
    const tools = { host, config, metrics, positions, writer: new Writer(), chunks: [] };
    this.files = new FollowedFiles(tools, hostName, (directory) => this.hints.watch(directory));
    this.readings = new Readings(host, positions, deliver, config.batch.filesInFlightMax);
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
    for (const file of this.files.all()) unreadBytes += file.unreadBytes;
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
  settled(): Promise<void> {
    return this.readings.settled();
  }

  /** No new looks and no further batches; what is on its way goes on. */
  stop(): void {
    this.stopped = true;
    this.readings.stop([...this.files.all()].filter(({ pending }) => pending));
    for (const cancel of this.cancels.splice(0)) cancel();
    this.cancelHint?.();
    this.hints.close();
  }

  async close(): Promise<void> {
    await this.polling;
    await this.files.closeAll();
  }

  private async look(): Promise<void> {
    const nowMs = this.host.clock.monotonicMs();
    const away: TailedFile[] = [];
    for (const file of this.files.all()) {
      // Held, so not forgotten, also while it is only read to its end.
      file.position.seenMs = this.host.clock.nowMs();
      if (file.state !== 'open' || this.isAtItsPath(file)) continue;
      file.moved();
      away.push(file);
    }
    const due = nowMs >= this.scanAtMs;
    const rotated = due ? this.rotated.splice(0) : [];
    if (due || away.length > 0 || !this.files.everScanned) {
      this.scanAtMs = nowMs + this.config.tail.scanIntervalMs;
      await this.files.scan();
    }
    for (const file of away) if (file.state === 'moved') this.rotated.push(file.position);
    // Twice, since the files that a rotation renames one after the other may change names while they are listed.
    for (const position of [...rotated, ...this.rotated]) await this.files.openMissed(position);
    for (const file of this.files.all()) {
      await this.check(file).catch((error: unknown) => this.giveUp(file, error));
    }
  }

  /** A handle that cannot even be looked at any more (a lost network mount): the others go on. */
  private async giveUp(file: TailedFile, error: unknown): Promise<void> {
    this.host.log.error({ path: file.path, error: String(error) }, 'cannot look at the file: it is closed');
    this.metrics.lostBytes.add(file.unreadBytes, { reason: 'closed' });
    await this.files.close(file).catch(() => {});
  }

  /** Looks at the path: the same file (perhaps grown), or not any more. */
  private isAtItsPath(file: TailedFile): boolean {
    const found = findFile(file.path);
    if (!found || !file.isSame(found)) return false;
    if (file.position.bornMs === 0) file.position.bornMs = found.bornMs;
    if (file.noticed(found.size, found.modifiedMs)) file.pending = true;
    return true;
  }

  private async check(file: TailedFile): Promise<void> {
    if (file.state === 'moved' && (await file.look())) file.pending = true;
    if (this.readings.has(file)) return;
    if (file.pending) {
      this.readings.start(file, false);
      return;
    }
    const { closeAfterMs, partialAfterMs } = this.config.tail;
    const patienceMs = file.state === 'moved' ? closeAfterMs : partialAfterMs;
    if (file.quietMs() < patienceMs) return;
    if (file.unreadBytes > 0 && this.finished.get(file) !== file.changedMs) {
      this.finished.set(file, file.changedMs);
      this.readings.start(file, true);
    } else if (file.state === 'moved') {
      this.metrics.lostBytes.add(file.unreadBytes, { reason: 'closed' });
      await this.files.close(file);
    }
  }

  private hinted(path: string): void {
    this.hintedPaths.add(path);
    this.cancelHint ??= this.host.timers.after(HINT_DELAY_MS, () => {
      this.cancelHint = undefined;
      const paths = [...this.hintedPaths];
      this.hintedPaths.clear();
      if (this.stopped) return;
      for (const file of this.files.all()) {
        if (file.state !== 'open' || !paths.includes(file.path) || this.readings.has(file)) continue;
        // A busy file gathers lines for a fuller batch: the next look comes soon enough.
        if (this.readings.sinceStartMs(file) < this.config.batch.lingerMs) continue;
        if (!this.isAtItsPath(file)) {
          // Rotated: a whole look finds what came in its place.
          void this.poll();
          return;
        }
        if (file.pending) this.readings.start(file, false);
      }
    });
  }
}
