/** All groups by id, with one timer each. */
import { Deadline } from '../host/deadline.ts';
import type { Host } from '../host/host.ts';
import { type GroupEntry, newEntry } from './group-entry.ts';
import { consumerDeadlineMs } from './consumer/consumer-group.ts';
import { nextDeadlineMs } from './group.ts';

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
    const known = this.entries.get(groupId);
    if (known) return known;
    const deadline = new Deadline(this.host, () => this.onTime(entry));
    const entry = newEntry(groupId, this.host.clock.nowMs(), deadline);
    this.entries.set(groupId, entry);
    return entry;
  }

  /** A group that never came to anything (a refused join, an id given out and not used) leaves no trace. */
  dropIfUnused(entry: GroupEntry): void {
    const { group, offsets, recorded, committing } = entry;
    if (recorded || committing.size > 0 || offsets.size > 0) return;
    if (group.type === 'consumer') return;
    if (group.phase !== 'Empty' || group.pending.size > 0 || group.storing.size > 0) return;
    entry.deadline.cancel();
    if (this.entries.get(entry.groupId) === entry) this.entries.delete(entry.groupId);
  }

  /** One timer a group, for its earliest deadline. */
  arm({ group, deadline }: GroupEntry): void {
    if (this.stopped) return;
    deadline.set(group.type === 'consumer' ? consumerDeadlineMs(group) : nextDeadlineMs(group));
  }

  stop(): void {
    this.stopped = true;
    for (const { deadline } of this.entries.values()) deadline.cancel();
  }
}
