/** All groups by id, with one timer each. */
import type { Host } from '../host/host.ts';
import { type GroupEntry, newEntry } from './group-entry.ts';
import { consumerDeadlineMs } from './consumer/consumer-group.ts';
import { nextDeadlineMs } from './group.ts';

/** Clients ask for rebalance timeouts of 2^31 ms, which a timer takes for none; it fires early and is set anew. */
const TIMER_MAX_MS = 60 * 60 * 1000;

export class GroupTable {
  readonly entries = new Map<string, GroupEntry>();
  private readonly host: Pick<Host, 'clock' | 'timers'>;
  private readonly onTime: (entry: GroupEntry) => void;
  private stopped = false;

  /** `onTime` is called when a deadline of the group may have come. */
  constructor(host: Pick<Host, 'clock' | 'timers'>, onTime: (entry: GroupEntry) => void) {
    this.host = host;
    this.onTime = onTime;
  }

  get(groupId: string): GroupEntry | undefined {
    return this.entries.get(groupId);
  }

  getOrMake(groupId: string): GroupEntry {
    let entry = this.entries.get(groupId);
    if (!entry) {
      entry = newEntry(groupId, this.host.clock.nowMs());
      this.entries.set(groupId, entry);
    }
    return entry;
  }

  /** A group that never came to anything (a refused join, an id given out and not used) leaves no trace. */
  dropIfUnused(entry: GroupEntry): void {
    const { group, offsets, recorded, committing } = entry;
    if (recorded || committing.size > 0 || offsets.size > 0) return;
    if (group.type === 'consumer') return;
    if (group.phase !== 'Empty' || group.pending.size > 0 || group.storing.size > 0) return;
    entry.timer?.cancel();
    if (this.entries.get(entry.groupId) === entry) this.entries.delete(entry.groupId);
  }

  /**
   * One timer a group, for its earliest deadline. Deadlines mostly move away (heartbeats), so a timer that
   * is early enough stays: it fires, finds nothing due, and is set anew.
   */
  arm(entry: GroupEntry): void {
    if (this.stopped) return;
    const { group } = entry;
    const atMs = group.type === 'consumer' ? consumerDeadlineMs(group) : nextDeadlineMs(group);
    if (entry.timer && atMs !== undefined && entry.timer.atMs <= atMs) return;
    entry.timer?.cancel();
    entry.timer = undefined;
    if (atMs === undefined) return;
    // Whole milliseconds, never early: a timer before its deadline would find nothing due and spin.
    const delayMs = Math.max(0, Math.ceil(atMs - this.host.clock.monotonicMs()));
    entry.timer = {
      atMs,
      cancel: this.host.timers.after(Math.min(delayMs, TIMER_MAX_MS), () => {
        entry.timer = undefined;
        this.onTime(entry);
      }),
    };
  }

  stop(): void {
    this.stopped = true;
    for (const entry of this.entries.values()) {
      entry.timer?.cancel();
      entry.timer = undefined;
    }
  }
}
