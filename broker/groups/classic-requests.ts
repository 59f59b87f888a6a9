/** Steps the state machines of classic groups and applies their effects: parked requests, records, the log's words. */
import assert from 'node:assert/strict';

import type { Host } from '../host/host.ts';
import { ParkedRequests } from '../state/parked-requests.ts';
import { CODE } from '../wire/errors.ts';
import { groupRecord } from './coordinator-records.ts';
import type { GroupEntry } from './group-entry.ts';
import type { GroupLog } from './group-log.ts';
import type { GroupTable } from './group-table.ts';
import type { GroupValue } from './group-value.ts';
import {
  type Answer,
  type Effect,
  type GroupEvent,
  type GroupSettings,
  type HeartbeatEvent,
  type JoinAnswer,
  type JoinEvent,
  type LeaveEvent,
  step,
  type SyncAnswer,
  type SyncEvent,
} from './group.ts';

export type EventWithoutToken<E> = E extends { to: number } ? Omit<E, 'to' | 'kind'> : never;

const STOP: GroupEvent = { kind: 'stop', errorCode: CODE.COORDINATOR_NOT_AVAILABLE };

export class ClassicRequests {
  private readonly table: GroupTable;
  private readonly log: GroupLog;
  private readonly host: Host;
  private readonly settings: GroupSettings;
  private readonly parked = new ParkedRequests<Answer>();
  private stopped = false;

  constructor(table: GroupTable, log: GroupLog, host: Host, settings: GroupSettings) {
    this.table = table;
    this.log = log;
    this.host = host;
    this.settings = settings;
  }

  async join(entry: GroupEntry, event: EventWithoutToken<JoinEvent>): Promise<JoinAnswer> {
    const answer = await this.request(entry, { kind: 'join', to: 0, ...event });
    assert(answer.api === 'join');
    return answer;
  }

  async sync(entry: GroupEntry, event: EventWithoutToken<SyncEvent>): Promise<SyncAnswer> {
    const answer = await this.request(entry, { kind: 'sync', to: 0, ...event });
    assert(answer.api === 'sync');
    return answer;
  }

  async heartbeat(entry: GroupEntry, event: EventWithoutToken<HeartbeatEvent>): Promise<number> {
    const answer = await this.request(entry, { kind: 'heartbeat', to: 0, ...event });
    assert(answer.api === 'heartbeat');
    return answer.errorCode;
  }

  async leave(entry: GroupEntry, event: EventWithoutToken<LeaveEvent>): Promise<readonly number[]> {
    const answer = await this.request(entry, { kind: 'leave', to: 0, ...event });
    assert(answer.api === 'leave');
    return answer.errorCodes;
  }

  /** Something that nobody waits for. */
  tell(entry: GroupEntry, event: Exclude<GroupEvent, { to: number }>): void {
    this.step(entry, event);
  }

  /** Answers everything parked with a retriable code; later requests are refused the same way. */
  stop(): void {
    this.stopped = true;
    for (const entry of this.table.entries.values()) this.step(entry, STOP);
  }

  /** The group is none of ours any more: whoever waits is answered with this. */
  abandon(entry: GroupEntry, errorCode: number): void {
    this.step(entry, { kind: 'stop', errorCode });
  }

  private async request(entry: GroupEntry, event: Extract<GroupEvent, { to: number }>): Promise<Answer> {
    return new Promise<Answer>((resolve) => {
      const to = this.parked.park(resolve);
      this.step(entry, { ...event, to });
      if (this.stopped) this.step(entry, STOP);
    });
  }

  private step(entry: GroupEntry, event: GroupEvent): void {
    // The group may have become one of KIP-848 while a record was on its way.
    if (entry.group.type !== 'classic') return;
    const before = entry.group.phase;
    const next = step(entry.group, event, this.host.clock.monotonicMs(), this.settings);
    entry.group = next.group;
    if (next.group.phase !== before) entry.stateSinceMs = this.host.clock.nowMs();
    for (const effect of next.effects) this.apply(entry, effect);
    this.table.arm(entry);
    this.table.dropIfUnused(entry);
  }

  private apply(entry: GroupEntry, effect: Effect): void {
    const { groupId } = entry;
    switch (effect.kind) {
      case 'answer':
        this.parked.answer(effect.to, effect.answer);
        break;
      case 'log':
        this.host.log.info({ group: groupId }, `group ${groupId}: ${effect.message}`);
        break;
      case 'store':
        void this.store(entry, effect.ticket, effect.value);
        break;
    }
  }

  private async store(entry: GroupEntry, ticket: number, value: GroupValue): Promise<void> {
    const record = groupRecord(entry.groupId, value, entry.stateSinceMs);
    const errorCode = await this.log.append(entry, [record]);
    this.step(entry, {
      kind: 'stored',
      ticket,
      errorCode: errorCode === CODE.INVALID_COMMIT_OFFSET_SIZE ? CODE.UNKNOWN_SERVER_ERROR : errorCode,
    });
  }
}
