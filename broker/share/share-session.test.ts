import assert from 'node:assert/strict';

import fc from 'fast-check';
import { expect, test } from 'vitest';

import { CODE } from '../wire/errors.ts';
import {
  answeredSession,
  CLOSE_EPOCH,
  nextSession,
  openSession,
  sessionPartitionKey,
  type ShareSession,
  ShareSessions,
} from './share-session.ts';

const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_122);
const place = (partition: number) => ({ topicId: 't', partition });

test('every request carries the next epoch; another is refused, and changes nothing', () => {
  const opened = openSession('g', 'm', [place(0)]);
  expect(nextSession(undefined, 1)).toBe(CODE.SHARE_SESSION_NOT_FOUND);
  for (const epoch of [2, 7, -2]) expect(nextSession(opened, epoch)).toBe(CODE.INVALID_SHARE_SESSION_EPOCH);
  expect(nextSession(opened, 1)).toMatchObject({ epoch: 2 });
  expect(nextSession(opened, CLOSE_EPOCH)).toBe(opened);
});

test('after the largest epoch comes 1, since 0 would open a session', () => {
  const last = { ...openSession('g', 'm', []), epoch: 2 ** 31 - 1 };
  expect(nextSession(last, 2 ** 31 - 1)).toMatchObject({ epoch: 1 });
});

test('a session that is opened again does not count twice, and one that is closed makes room', () => {
  const sessions = new ShareSessions(1);
  const [one, two] = [{ nodeId: 1 }, { nodeId: 1 }];
  expect(sessions.open('g', 'a', [], one)).toMatchObject({ epoch: 1 });
  expect(sessions.open('g', 'a', [], two)).toMatchObject({ epoch: 1 });
  expect(sessions.open('g', 'b', [], one)).toBe(CODE.SHARE_SESSION_LIMIT_REACHED);
  // The session moved to the other connection: the end of the first is nothing to it.
  expect(sessions.closeConnection(one)).toEqual([]);
  expect(sessions.closeConnection(two)).toMatchObject([{ memberId: 'a' }]);
  expect(sessions.open('g', 'b', [], one)).toMatchObject({ epoch: 1 });
});

const action = fc.oneof(
  fc.record({
    kind: fc.constant('open' as const),
    member: fc.nat(2),
    connection: fc.nat(2),
    add: fc.array(fc.nat(3)),
  }),
  fc.record({
    kind: fc.constant('request' as const),
    member: fc.nat(2),
    node: fc.nat(1),
    epochOff: fc.constantFrom(0, 0, 0, 1, -1),
    add: fc.array(fc.nat(3), { maxLength: 2 }),
    forget: fc.array(fc.nat(3), { maxLength: 2 }),
    failed: fc.array(fc.nat(3), { maxLength: 2 }),
  }),
  fc.record({ kind: fc.constant('close' as const), member: fc.nat(2), node: fc.nat(1) }),
  fc.record({ kind: fc.constant('leave' as const), member: fc.nat(2) }),
  fc.record({ kind: fc.constant('drop' as const), connection: fc.nat(2) }),
);

/** A session as naively as can be. */
interface Naive {
  connection: number;
  epoch: number;
  /** True when the next answer has to name it. */
  partitions: Map<number, boolean>;
}

test('sessions say what a plain table says, whatever members and connections do', () => {
  const { counterexample, errorInstance } = fc.check(
    fc.property(fc.array(action, { maxLength: 50 }), (actions) => {
      const sessions = new ShareSessions(3);
      // Connections 0 and 1 are to node 0, connection 2 to node 1.
      const connections = [{ nodeId: 0 }, { nodeId: 0 }, { nodeId: 1 }];
      const model = new Map<string, Naive>();
      for (const one of actions) {
        const member = 'member' in one ? `m${one.member}` : '';
        switch (one.kind) {
          case 'open': {
            const connection = connections[one.connection]!;
            const key = `${member}@${connection.nodeId}`;
            model.delete(key);
            const isFull = model.size >= 3;
            const opened = sessions.open('g', member, one.add.map(place), connection);
            assert.equal(typeof opened === 'number', isFull);
            if (isFull) break;
            const partitions = new Map(one.add.map((partition) => [partition, true]));
            model.set(key, { connection: one.connection, epoch: 1, partitions });
            break;
          }
          case 'request': {
            const known = model.get(`${member}@${one.node}`);
            const epoch = (known?.epoch ?? 1) + one.epochOff;
            if (epoch <= 0) break;
            const next = nextSession(
              sessions.get('g', member, one.node),
              epoch,
              one.add.map(place),
              one.forget.map(place),
            );
            if (!known) assert.equal(next, CODE.SHARE_SESSION_NOT_FOUND);
            else if (one.epochOff !== 0) assert.equal(next, CODE.INVALID_SHARE_SESSION_EPOCH);
            if (typeof next === 'number' || !known) break;
            known.epoch += 1;
            for (const partition of one.add) {
              if (!known.partitions.has(partition)) known.partitions.set(partition, true);
            }
            for (const partition of one.forget) known.partitions.delete(partition);
            assert.deepEqual(dueIn(next), dueOf(known));
            const failed = new Set(one.failed.map((partition) => sessionPartitionKey(place(partition))));
            sessions.replace(answeredSession(next, failed), one.node);
            for (const partition of known.partitions.keys()) {
              known.partitions.set(partition, one.failed.includes(partition));
            }
            break;
          }
          case 'close':
            assert.equal(
              sessions.close('g', member, one.node) !== undefined,
              model.delete(`${member}@${one.node}`),
            );
            break;
          case 'leave':
            sessions.closeMember('g', member);
            for (const node of [0, 1]) model.delete(`${member}@${node}`);
            break;
          case 'drop': {
            const gone = [...model].filter(([, { connection }]) => connection === one.connection);
            const closed = sessions.closeConnection(connections[one.connection]!);
            assert.deepEqual(
              closed.map(({ memberId }) => memberId).toSorted(),
              gone.map(([key]) => key.split('@')[0]!).toSorted(),
            );
            for (const [key] of gone) model.delete(key);
            break;
          }
        }
        assert.equal(sessions.size, model.size);
      }
    }),
    { seed, numRuns: 400 },
  );
  expect({ counterexample, errorInstance }).toEqual({ counterexample: null, errorInstance: null });
});

function dueIn(session: ShareSession): Array<[number, boolean]> {
  return [...session.partitions.values()]
    .map(({ partition, isDue }): [number, boolean] => [partition.partition, isDue])
    .toSorted(([a], [b]) => a - b);
}

function dueOf({ partitions }: Naive): Array<[number, boolean]> {
  return [...partitions].toSorted(([a], [b]) => a - b);
}
