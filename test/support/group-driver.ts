import {
  type Answer,
  emptyGroup,
  type Group,
  type GroupEvent,
  type GroupSettings,
  type JoinAnswer,
  type JoinEvent,
  step,
  type SyncAnswer,
} from '../../broker/groups/group.ts';
import type { GroupValue } from '../../broker/groups/group-value.ts';

export const RANGE = { name: 'range', metadata: Buffer.from('r') };
export const STICKY = { name: 'sticky', metadata: Buffer.from('s') };

/** Drives the state machine of one group by hand: time, requests and the disk are the test's. */
export class GroupDriver {
  group: Group = emptyGroup('g');
  now = 0;
  /** Answers by token. */
  readonly answers = new Map<number, Answer>();
  /** Store effects not yet ended. */
  readonly storing: Array<{ ticket: number; value: GroupValue }> = [];
  readonly stored: GroupValue[] = [];
  settings: GroupSettings = { initialRebalanceDelayMs: 0, groupMaxSize: 100 };
  /** Whether the disk answers at once. */
  autoStore = true;
  private token = 0;

  event(event: GroupEvent): void {
    const next = step(this.group, event, this.now, this.settings);
    this.group = next.group;
    for (const effect of next.effects) {
      if (effect.kind === 'answer') {
        if (this.answers.has(effect.to)) throw new Error(`request ${effect.to} was answered twice`);
        this.answers.set(effect.to, effect.answer);
      } else if (effect.kind === 'store') {
        this.storing.push(effect);
      }
    }
    if (this.autoStore) this.finishStoring(0);
  }

  finishStoring(errorCode: number): void {
    for (const { ticket, value } of this.storing.splice(0)) {
      if (errorCode === 0) this.stored.push(value);
      this.event({ kind: 'stored', ticket, errorCode });
    }
  }

  at(now: number): void {
    this.now = now;
    this.event({ kind: 'tick' });
  }

  /** Sends a JoinGroup, returns its token. */
  join(given: Partial<JoinEvent> = {}): number {
    this.token += 1;
    this.event({
      kind: 'join',
      to: this.token,
      memberId: '',
      freshMemberId: `m${this.token}`,
      instanceId: null,
      clientId: 'c',
      clientHost: '/127.0.0.1',
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 60_000,
      protocolType: 'consumer',
      protocols: [RANGE],
      memberIdRequired: false,
      canSkipAssignment: false,
      ...given,
    });
    return this.token;
  }

  sync(
    memberId: string,
    given: {
      generation?: number;
      instanceId?: string | null;
      protocol?: string | null;
      assign?: Record<string, string>;
    } = {},
  ): number {
    this.token += 1;
    this.event({
      kind: 'sync',
      to: this.token,
      memberId,
      instanceId: given.instanceId ?? null,
      generation: given.generation ?? this.group.generation,
      protocolType: null,
      protocol: given.protocol ?? null,
      assignments: new Map(
        Object.entries(given.assign ?? {}).map(([id, assignment]) => [id, Buffer.from(assignment)]),
      ),
    });
    return this.token;
  }

  heartbeat(memberId: string, generation = this.group.generation, instanceId: string | null = null): number {
    this.token += 1;
    this.event({ kind: 'heartbeat', to: this.token, memberId, generation, instanceId });
    return (this.answers.get(this.token) as { errorCode: number }).errorCode;
  }

  leave(...members: Array<{ memberId: string; instanceId: string | null }>): readonly number[] {
    this.token += 1;
    this.event({ kind: 'leave', to: this.token, members });
    return (this.answers.get(this.token) as { errorCodes: readonly number[] }).errorCodes;
  }

  /** The answer to a JoinGroup, undefined while it is parked. */
  joined(token: number): JoinAnswer | undefined {
    return this.answers.get(token) as JoinAnswer | undefined;
  }

  synced(token: number): SyncAnswer | undefined {
    return this.answers.get(token) as SyncAnswer | undefined;
  }

  /** A stable group of two: `m1` leads. Returns their ids. */
  stableTwo(given: Partial<JoinEvent> = {}): [string, string] {
    this.join(given);
    const second = this.join(given);
    this.join({ ...given, memberId: 'm1' });
    this.sync('m1', { assign: { m1: 'a', m2: 'b' } });
    this.sync('m2');
    if (this.group.phase !== 'Stable') throw new Error(`got ${this.group.phase}, want Stable`);
    return ['m1', this.joined(second)!.memberId];
  }
}
