/**
 * Live tail: one reader of the log topic feeds every tail. A tail that starts in the past (resumed, or asked
 * to) first reads on its own until it has caught up with the shared reader, then joins it.
 *
 * No gap, no repeat: each tail keeps the next offset of every partition, takes only records at or after it,
 * and joins at a moment when it stands at or after the shared reader in all partitions.
 */
import type { Host } from '../../broker/host/host.ts';
import type { Admin, ConsumedBatch, KafkaClient, Reader, ReaderOptions } from '../../broker/client/port.ts';
import type { LogRecord } from '../../broker/records/otlp/model.ts';
import { readLogs } from '../../broker/records/otlp/read-logs.ts';
import { labelsOf, lineOf, timestampNsOf } from '../../sinks/logql/labels.ts';
import type { Pipeline } from '../../sinks/logql/match.ts';
import type { TailLine } from './tail-buffer.ts';
import { type Position, reaches } from './tail-position.ts';

export interface TailHub {
  /** Rejects when the log cannot be reached. */
  open(options: TailOptions): Promise<Tail>;
  close(): Promise<void>;
}

export interface TailOptions {
  readonly pipeline: Pipeline;
  /** Now, where an earlier tail stopped, or everything appended since a time (ms since 1970). */
  readonly from: 'now' | { readonly position: Position } | { readonly timestampMs: number };
  readonly onLine: (line: TailLine) => void;
  /** While a tail catches up it reads no faster than this resolves. */
  readonly room: () => Promise<void>;
}

export interface Tail {
  /** What was looked at so far, matching or not. */
  position(): Position;
  close(): Promise<void>;
}

/** A live reader that nobody follows any more is closed after this: pages are reloaded. */
const IDLE_MS = 10_000;

class Follower implements Tail {
  readonly next = new Map<number, number>();
  readonly options: TailOptions;
  own: Reader | undefined;
  closed = false;
  readonly onClose: (follower: Follower) => void;

  constructor(options: TailOptions, onClose: (follower: Follower) => void) {
    this.options = options;
    this.onClose = onClose;
  }

  position(): Position {
    return new Map(this.next);
  }

  async close(): Promise<void> {
    this.closed = true;
    this.onClose(this);
    await this.own?.close();
  }

  take(partition: number, offset: number, found: readonly Found[]): void {
    if (offset < (this.next.get(partition) ?? 0)) return;
    this.next.set(partition, offset + 1);
    for (const one of found) {
      const extracted = this.options.pipeline(one.record);
      if (extracted) this.options.onLine(one.line(extracted));
    }
  }
}

/** A record whose line is made once for all tails that show it. */
class Found {
  readonly record: LogRecord;
  private made: TailLine | undefined;

  constructor(record: LogRecord) {
    this.record = record;
  }

  line(extracted: ReadonlyMap<string, string>): TailLine {
    this.made ??= {
      timestampNs: String(timestampNsOf(this.record)),
      line: lineOf(this.record),
      labels: labelsOf(this.record),
    };
    if (extracted.size === 0) return this.made;
    return { ...this.made, labels: { ...this.made.labels, ...Object.fromEntries(extracted) } };
  }
}

export function createTailHub(kafka: KafkaClient, host: Host, topic: string): TailHub {
  const followers = new Set<Follower>();
  const unreadable = host.metrics.counter(
    'millrace_web_tail_unreadable_records_total',
    'Kafka records that live tail skipped because they are no OTLP logs.',
  );
  let live: { readonly next: Map<number, number>; readonly reader: Reader } | undefined;
  let admin: Promise<Admin> | undefined;
  let starting: Promise<Map<number, number>> | undefined;
  let cancelIdle: (() => void) | undefined;
  let closed = false;

  const recordsOf = (value: Buffer | null): Found[] => {
    if (value === null) return [];
    try {
      return readLogs(value).map((record) => new Found(record));
    } catch {
      unreadable.add(1);
      return [];
    }
  };

  const ends = async (): Promise<Map<number, number>> => {
    const offsets = await (await (admin ??= kafka.admin())).offsets(topic);
    return new Map(offsets.map(({ partition, end }) => [partition, end]));
  };

  const onLiveBatch = (next: Map<number, number>, { partition, records }: ConsumedBatch): void => {
    for (const { offset, value } of records) {
      // Fetches repeat what was taken already when a batch of the log is read from its middle.
      if (offset < (next.get(partition) ?? 0)) continue;
      const found = followers.size > 0 ? recordsOf(value) : [];
      for (const follower of followers) follower.take(partition, offset, found);
      next.set(partition, offset + 1);
    }
  };

  const startLive = async (): Promise<Map<number, number>> => {
    const next = await ends();
    const reader = await kafka.reader({
      topic,
      from: { offsets: Object.fromEntries(next) },
      onBatch: (batch) => {
        onLiveBatch(next, batch);
        return Promise.resolve();
      },
    });
    live = { next, reader };
    return next;
  };

  /** The shared reader's position; starts it when there is none. */
  const livePosition = async (): Promise<Map<number, number>> => {
    cancelIdle?.();
    if (live) return live.next;
    starting ??= startLive().finally(() => {
      starting = undefined;
    });
    return starting;
  };

  const closeLive = async (): Promise<void> => {
    await starting?.catch(() => undefined);
    const { reader } = live ?? {};
    live = undefined;
    await reader?.close();
  };

  const onClose = (follower: Follower): void => {
    followers.delete(follower);
    if (followers.size > 0 || closed) return;
    cancelIdle?.();
    cancelIdle = host.timers.after(IDLE_MS, () => {
      if (followers.size === 0) void closeLive();
    });
  };

  const catchUp = async (
    follower: Follower,
    from: ReaderOptions['from'],
    complete: () => void,
  ): Promise<Reader> => {
    let caughtUp = false;
    const joinWhenLevel = (): void => {
      if (!caughtUp || follower.closed || followers.has(follower)) return;
      if (!live || !reaches(follower.next, live.next)) return;
      followers.add(follower);
      const { own } = follower;
      follower.own = undefined;
      // Not awaited: this runs inside of the reader that is being closed.
      void own?.close();
    };
    return kafka.reader({
      topic,
      from,
      onBatch: async ({ partition, records }) => {
        for (const { offset, value } of records) {
          if (follower.closed || followers.has(follower)) return;
          follower.take(partition, offset, recordsOf(value));
        }
        joinWhenLevel();
        if (!followers.has(follower) && !follower.closed) await follower.options.room();
      },
      onCaughtUp: () => {
        caughtUp = true;
        complete();
        // The reader object is not there yet when there is nothing to catch up with.
        host.timers.soon(joinWhenLevel);
      },
    });
  };

  return {
    async open(options) {
      const follower = new Follower(options, onClose);
      const { from } = options;
      const position = await livePosition();
      if (from === 'now') {
        for (const [partition, offset] of position) follower.next.set(partition, offset);
        followers.add(follower);
        return follower;
      }
      const known = await ends();
      const complete = (): void => {
        // All before the end was read, or is older than asked for, or is gone by retention.
        for (const [partition, end] of known) {
          follower.next.set(partition, Math.max(end, follower.next.get(partition) ?? 0));
        }
      };
      let start: ReaderOptions['from'];
      if ('timestampMs' in from) start = from;
      else {
        // Partitions that the position does not name are new since: all of them is news.
        for (const partition of known.keys()) {
          follower.next.set(partition, from.position.get(partition) ?? 0);
        }
        start = { offsets: Object.fromEntries(follower.next) };
      }
      const own = await catchUp(follower, start, complete);
      if (follower.closed || followers.has(follower)) await own.close();
      else follower.own = own;
      return follower;
    },
    async close() {
      closed = true;
      cancelIdle?.();
      await Promise.all([...followers].map((follower) => follower.close()));
      await closeLive();
    },
  };
}
