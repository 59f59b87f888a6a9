/**
 * Two clients of one classic group, time and disk, as a world that steps from state to state. What clients are told is
 * held against a ledger that knows only requests and answers; a step throws when something does not fit.
 */
import assert from 'node:assert/strict';

import {
  type Answer,
  emptyGroup,
  type Group,
  type GroupEvent,
  nextDeadlineMs,
  step,
} from '../../broker/groups/group.ts';
import { CODE } from '../../broker/wire/errors.ts';
import { RANGE } from './group-driver.ts';

const SESSION_MS = 10_000;
export const CLIENTS = ['a', 'b'] as const;
export const STEPS = [
  ...CLIENTS.flatMap((who) =>
    (['join', 'sync', 'heartbeat', 'leave'] as const).map((kind) => ({ kind, who })),
  ),
  /** Sent in the generation before, and slow. */
  { kind: 'late sync' as const, who: 'a' as const },
  { kind: 'stored' as const, errorCode: CODE.NONE },
  { kind: 'stored' as const, errorCode: CODE.COORDINATOR_NOT_AVAILABLE },
  { kind: 'time' as const, to: 'deadline' as const },
  { kind: 'time' as const, to: 'later' as const },
];
export type OneStep = (typeof STEPS)[number];
export type Who = (typeof CLIENTS)[number];

interface Client {
  memberId: string;
  generation: number;
  /** Whom it assigns to, as a leader. */
  peers: string[];
  /** Was told that it is no member, or left: it joins without an id. */
  isOut: boolean;
  /** Ids made for it so far. */
  ids: number;
  /** Only the answer to its last JoinGroup counts: it gave up on the others. */
  joining: number;
}

interface Open {
  who: Who;
  api: string;
  memberId: string;
  generation: number;
}

/** What is true of the generation, by what was told to clients. */
interface Ledger {
  generation: number;
  leaderId: string;
  joined: Set<string>;
  /** By the first SyncGroup of the leader. */
  given: Map<string, string>;
  /** One assignment goes to the disk, then it is there. */
  isStoring: boolean;
  isStored: boolean;
}

export interface World {
  group: Group;
  now: number;
  isIdRequired: boolean;
  clients: Record<Who, Client>;
  /** Requests without an answer, by token. */
  open: Map<number, Open>;
  /** Records on their way, and whether each is this ledger's assignment. */
  storing: Array<{ ticket: number; generation: number }>;
  ledger: Ledger;
  /** Ids that left, or were told that they are no members. */
  gone: Set<string>;
  heardMs: Map<string, number>;
}

export function newWorld(isIdRequired: boolean): World {
  const client = { memberId: '', generation: -1, peers: [], isOut: true, ids: 0, joining: 0 };
  return {
    group: emptyGroup('g'),
    now: 0,
    isIdRequired,
    clients: { a: client, b: client },
    open: new Map(),
    storing: [],
    ledger: newLedger(0),
    gone: new Set(),
    heardMs: new Map(),
  };
}

function newLedger(generation: number): Ledger {
  return { generation, leaderId: '', joined: new Set(), given: new Map(), isStoring: false, isStored: false };
}

/** The world after one step more; the given one stays as it is. */
export function after(before: World, one: OneStep): World {
  const { ledger } = before;
  const world: World = {
    ...before,
    clients: { a: { ...before.clients.a }, b: { ...before.clients.b } },
    open: new Map(before.open),
    storing: [...before.storing],
    ledger: { ...ledger, joined: new Set(ledger.joined), given: new Map(ledger.given) },
    gone: new Set(before.gone),
    heardMs: new Map(before.heardMs),
  };
  act(world, one);
  check(before.group, world);
  return world;
}

function act(world: World, one: OneStep): void {
  if (one.kind === 'time') {
    const deadlineMs = nextDeadlineMs(world.group);
    world.now = one.to === 'later' ? world.now + 6_000 : Math.max(world.now, deadlineMs ?? 0);
    const before = world.group;
    take(world, { kind: 'tick' });
    return checkSilence(before, world);
  }
  if (one.kind === 'stored') {
    const stored = world.storing.shift();
    if (!stored) return;
    if (one.errorCode === CODE.NONE && stored.generation === world.ledger.generation) {
      world.ledger.isStored = true;
    }
    return take(world, { kind: 'stored', ticket: stored.ticket, errorCode: one.errorCode });
  }
  const client = world.clients[one.who];
  const { memberId } = client;
  const generation = client.generation - (one.kind === 'late sync' ? 1 : 0);
  let to = 1;
  while (world.open.has(to)) to += 1;
  const open = { who: one.who, api: one.kind === 'late sync' ? 'sync' : one.kind, memberId, generation };
  world.open.set(to, open);
  switch (one.kind) {
    case 'join':
      open.memberId = client.isOut ? '' : memberId;
      client.joining = to;
      if (client.isOut) client.ids += 1;
      return take(world, joinOf(to, open, `${one.who}${client.ids}`, world.isIdRequired));
    case 'sync':
    case 'late sync': {
      const assignments = new Map(client.peers.map((id) => [id, bytes(`${id}-${world.ledger.given.size}`)]));
      const { ledger } = world;
      const leads = memberId !== '' && memberId === ledger.leaderId && generation === ledger.generation;
      // Who does not lead says something too, and is not listened to.
      if (!leads) for (const id of world.group.members.keys()) assignments.set(id, bytes('by another'));
      else if (ledger.given.size === 0 && world.group.phase === 'CompletingRebalance') {
        for (const [id, assigned] of assignments) ledger.given.set(id, text(assigned));
      }
      const about = { memberId, generation, instanceId: null, protocolType: null, protocol: null };
      return take(world, { kind: 'sync', to, ...about, assignments });
    }
    case 'heartbeat':
      return take(world, { kind: 'heartbeat', to, memberId, generation, instanceId: null });
    case 'leave':
      return take(world, { kind: 'leave', to, members: [{ memberId, instanceId: null }] });
  }
}

function joinOf(
  to: number,
  { memberId }: Open,
  freshMemberId: string,
  memberIdRequired: boolean,
): GroupEvent {
  return {
    kind: 'join',
    to,
    memberId,
    freshMemberId,
    instanceId: null,
    clientId: 'c',
    clientHost: '/h',
    sessionTimeoutMs: SESSION_MS,
    rebalanceTimeoutMs: 15_000,
    protocolType: 'consumer',
    protocols: [RANGE],
    memberIdRequired,
    canSkipAssignment: false,
  };
}

/** The machine takes the event; clients and ledger hear of the answers. */
function take(world: World, event: GroupEvent): void {
  const { phase } = world.group;
  const settings = { initialRebalanceDelayMs: 0, groupMaxSize: 10 };
  const next = step(world.group, event, world.now, settings);
  world.group = next.group;
  const { generation } = next.group;
  const goneBefore = new Set(world.gone);
  if (generation > world.ledger.generation) world.ledger = newLedger(generation);
  // A generation that is given up gives its members their whole time to join again.
  if (phase === 'CompletingRebalance' && next.group.phase === 'PreparingRebalance') {
    for (const memberId of next.group.members.keys()) world.heardMs.set(memberId, world.now);
  }
  for (const effect of next.effects) {
    if (effect.kind === 'store') {
      if (event.kind === 'sync') {
        assert(!world.ledger.isStoring, 'a second assignment');
        world.ledger.isStoring = true;
      }
      world.storing.push({ ticket: effect.ticket, generation: event.kind === 'sync' ? generation : -1 });
    } else if (effect.kind === 'answer') {
      const open = world.open.get(effect.to);
      assert(open?.api === effect.answer.api, 'an answer that nobody waits for');
      world.open.delete(effect.to);
      if (goneBefore.has(open.memberId))
        assert(codeOf(effect.answer) !== CODE.NONE, `${open.memberId} is out, and served`);
      hear(world, open, effect.to, effect.answer);
    }
  }
}

function hear(world: World, open: Open, token: number, given: Answer): void {
  const { ledger, group, gone } = world;
  const client = world.clients[open.who];
  const errorCode = codeOf(given);
  const memberId = given.api === 'join' ? given.memberId : open.memberId;
  const isCurrent = client.memberId === memberId;
  if (errorCode === CODE.NONE || errorCode === CODE.REBALANCE_IN_PROGRESS) {
    world.heardMs.set(memberId, world.now);
  }
  if (errorCode === CODE.UNKNOWN_MEMBER_ID || (given.api === 'leave' && errorCode === CODE.NONE)) {
    // An id that was given out is there until it is used.
    if (memberId === '' || group.pending.has(memberId)) return;
    gone.add(memberId);
    world.heardMs.delete(memberId);
    if (isCurrent) client.isOut = true;
    return;
  }
  if (given.api === 'join') {
    if (client.joining === token && (errorCode === CODE.NONE || errorCode === CODE.MEMBER_ID_REQUIRED)) {
      const { generation, members } = given;
      Object.assign(client, {
        memberId,
        generation,
        isOut: false,
        peers: members.map((one) => one.memberId),
      });
    }
    if (errorCode !== CODE.NONE) return;
    ledger.leaderId ||= given.leaderId;
    ledger.joined.add(memberId);
    assert.equal(given.generation, ledger.generation);
    assert.equal(given.leaderId, ledger.leaderId, 'a second leader');
    assert.equal(given.members.length, memberId === ledger.leaderId ? group.members.size : 0);
  } else if (given.api === 'sync' && errorCode === CODE.NONE) {
    assert.equal(open.generation, ledger.generation);
    assert(ledger.isStored, 'an assignment that is not on disk');
    assert.equal(text(given.assignment), ledger.given.get(memberId), 'not what the leader gave');
  } else if (given.api === 'heartbeat' && errorCode === CODE.NONE) {
    assert.equal(open.generation, ledger.generation);
    assert.notEqual(group.phase, 'PreparingRebalance');
  }
}

function codeOf(given: Answer): number {
  return given.api === 'leave' ? given.errorCodes[0]! : given.errorCode;
}

function check(before: Group, { group, ledger, gone, open }: World): void {
  const members = [...group.members.values()];
  assert(group.generation >= before.generation, 'the generation falls');
  for (const memberId of gone) {
    assert(!group.members.has(memberId) && !group.pending.has(memberId), `${memberId} is out, and in`);
  }
  const parked = members.flatMap(({ joining, syncing }) => [joining ?? [], syncing ?? []].flat());
  assert.equal(new Set(parked).size, parked.length);
  assert.equal(parked.length, open.size, 'a request that nobody will answer');
  for (const token of parked) assert(open.has(token));
  if (group.phase !== 'CompletingRebalance' && group.phase !== 'Stable') return;
  assert.equal(group.leaderId, ledger.leaderId);
  assert(group.members.has(ledger.leaderId), 'a leader that is no member');
  for (const { memberId, assignment } of members) {
    assert(ledger.joined.has(memberId), `${memberId} did not join the generation`);
    if (group.phase === 'Stable') assert.equal(text(assignment), ledger.given.get(memberId));
  }
}

/** Who says nothing for a session is out, unless it waits for us; and in Stable nobody else. */
function checkSilence(before: Group, { group, heardMs, now }: World): void {
  for (const { memberId, joining, syncing } of group.members.values()) {
    if (joining !== undefined || syncing !== undefined) continue;
    assert(now - heardMs.get(memberId)! < SESSION_MS, `${memberId} is silent, and in`);
  }
  if (before.phase !== 'Stable' || (before.syncDeadlineMs ?? Infinity) <= now) return;
  for (const memberId of before.members.keys()) {
    const isIn = group.members.has(memberId);
    assert(isIn || now - heardMs.get(memberId)! >= SESSION_MS, `${memberId} was heard, and is out`);
  }
}

/** The same for states that go on alike. */
export function keyOf({ group, ledger, ...world }: World): string {
  const members = [...group.members.values()].map((one) => ({
    ...one,
    protocols: undefined,
    assignment: text(one.assignment),
  }));
  const { pending, unsynced, storing } = group;
  return JSON.stringify([
    { ...group, members, pending: [...pending], unsynced: [...unsynced], storing: [...storing.keys()] },
    { ...ledger, joined: [...ledger.joined], given: [...ledger.given] },
    { ...world, open: [...world.open], gone: [...world.gone], heardMs: [...world.heardMs] },
  ]);
}

function bytes(some: string): Uint8Array {
  return Buffer.from(some);
}

function text(some: Uint8Array): string {
  return Buffer.from(some).toString();
}
