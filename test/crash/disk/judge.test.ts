// The audit itself: a story of two producers, and every fault that it must find, planted one by one.
import { expect, test } from 'vitest';

import { Found, type Rule } from './found.ts';
import { type Extent, judge, judgeAgain } from './judge.ts';
import { Ledger } from './ledger.ts';
import { KEYS, type Payload, writePayload } from './payload.ts';

const PLAIN = { run: 'r', producer: 'p', life: 1, transaction: 0, topic: 'kept', partition: 0 };
const IN_TRANSACTION = { ...PLAIN, producer: 't' };
const ALL: Extent = {
  start: () => 0,
  end: () => Infinity,
  isCompacted: (topic) => topic === 'latest',
  isLive: false,
};

/** Three records acknowledged, one failed, one unknown; a transaction committed, one aborted, one of unknown end. */
function ledger(): Ledger {
  const told = new Ledger();
  told.reading = 1;
  const lines = (producer: string, ...all: string[]): void =>
    all.forEach((line) => told.take(producer, line));
  lines('p', 'L 1', 'I kept 0 0 5 0', 'O kept 0 0 0', 'O kept 0 1 1', 'O kept 0 2 2', 'F kept 0 3 no');
  lines('t', 'L 1', 'B 1', 'I kept 0 0 2 1', 'O kept 0 0 3', 'O kept 0 1 4', 'C 1', 'D 1');
  lines('t', 'B 2', 'I kept 0 2 2 2', 'O kept 0 2 6', 'O kept 0 3 7', 'A 2');
  lines('t', 'B 3', 'I kept 0 4 2 3', 'O kept 0 4 9', 'O kept 0 5 10', 'C 3', 'X 3');
  return told;
}

type Record = readonly [offset: number, payload: Payload];

const record = (offset: number, base: typeof PLAIN, seq: number, transaction = 0): Record => [
  offset,
  { ...base, transaction, seq },
];

const COMMITTED: readonly Record[] = [
  record(0, PLAIN, 0),
  record(1, PLAIN, 1),
  record(2, PLAIN, 2),
  record(3, IN_TRANSACTION, 0, 1),
  record(4, IN_TRANSACTION, 1, 1),
  record(9, IN_TRANSACTION, 4, 3),
  record(10, IN_TRANSACTION, 5, 3),
];

function found(records: readonly Record[]): Found {
  const reader = new Found('r', 'reader');
  for (const [offset, payload] of records) {
    reader.take(payload.topic, payload.partition, offset, writePayload(payload, 'x'));
  }
  return reader;
}

function verdict(records: readonly Record[], told = ledger(), extent = ALL): Rule[] {
  const reader = found(records);
  judge(told, reader, 'read_committed', extent, told.reading);
  return [...new Set(reader.findings.map(({ rule }) => rule))];
}

const without = (...offsets: number[]): Record[] => COMMITTED.filter(([offset]) => !offsets.includes(offset));

test('what was told is what is there', () => {
  expect(verdict(COMMITTED)).toEqual([]);
});

test('an unknown record, and a transaction of unknown end, may be there or not', () => {
  expect(verdict([...COMMITTED, record(11, PLAIN, 4)])).toEqual([]);
  expect(verdict(without(9, 10))).toEqual([]);
});

const PLANTED: ReadonlyArray<readonly [string, readonly Record[], Rule[]]> = [
  ['an acknowledged record is missing', without(1), ['lost']],
  ['the last acknowledged record is missing', without(2), ['lost']],
  ['a record of a committed transaction is missing', without(4), ['lost']],
  ['a record is there twice', [...COMMITTED, record(12, PLAIN, 0)], ['duplicated']],
  [
    'two records changed places',
    [record(0, PLAIN, 1), record(1, PLAIN, 0), ...without(0, 1)],
    ['reordered', 'wrong offset'],
  ],
  ['a record stands elsewhere', [...without(2), record(5, PLAIN, 2)], ['wrong offset']],
  ['a failed record is there', [...COMMITTED, record(11, PLAIN, 3)], ['written though failed']],
  ['a record that nobody sent', [...COMMITTED, record(11, PLAIN, 5)], ['invented']],
  ['a record of another topic', [...COMMITTED, [11, { ...PLAIN, topic: 'other', seq: 4 }]], ['invented']],
  ['an aborted record', [...COMMITTED, record(6, IN_TRANSACTION, 2, 2)], ['reordered', 'aborted but read']],
  ['half a transaction', without(10), ['torn transaction']],
];

test.for(PLANTED)('%s: found', ([, records, rules]) => {
  expect(verdict(records).toSorted()).toEqual(rules.toSorted());
});

test('a changed byte: found', () => {
  const reader = found(COMMITTED);
  const value = writePayload({ ...PLAIN, transaction: 0, seq: 4 }, 'x');
  reader.take('kept', 0, 11, value.replace('x', 'y'));
  expect(reader.findings.map(({ rule }) => rule)).toEqual(['damaged']);
});

test('what was read before and is gone: found', () => {
  const later = found(without(10));
  judgeAgain(found(COMMITTED), later, ALL);
  expect(later.findings.map(({ rule }) => rule)).toEqual(['changed']);
  expect(ledger().outcomes().get('p')).toEqual({ ok: 3, failed: 1, unknown: 1 });
});

test('what was acknowledged after the cut need not be there, nor what retention has deleted', () => {
  const told = ledger();
  told.reading = 2;
  told.take('p', 'O kept 0 4 11');
  const reader = found(COMMITTED);
  judge(told, reader, 'read_committed', ALL, 1);
  expect(reader.findings).toEqual([]);
  judge(told, reader, 'read_committed', ALL, 2);
  expect(reader.findings.map(({ rule }) => rule)).toEqual(['lost']);
  expect(verdict(without(0, 1), ledger(), { ...ALL, start: () => 2 })).toEqual([]);
});

test('compaction leaves the latest record of each key', () => {
  const told = new Ledger();
  told.take('p', `I latest 0 0 ${KEYS + 1} 0`);
  for (let seq = 0; seq <= KEYS; seq += 1) told.take('p', `O latest 0 ${seq} ${seq}`);
  const all = Array.from({ length: KEYS + 1 }, (_, seq) =>
    record(seq, { ...PLAIN, topic: 'latest' } as typeof PLAIN, seq),
  );
  expect(verdict(all.slice(1), told)).toEqual([]);
  expect(verdict(all.slice(0, -1), told)).toEqual(['lost']);
  expect(verdict(all.slice(2), told)).toEqual(['lost']);
  // The record that took its place was written behind what was read.
  const before: Extent = { ...ALL, end: () => KEYS };
  expect(verdict(all.slice(1, -1), told, before)).toEqual(['lost']);
  expect(verdict(all.slice(1, -1), told, { ...before, isLive: true })).toEqual([]);
});

test('what a transaction wrote that was open at the cut, compaction may take from the picture, and nothing else may', () => {
  const told = new Ledger();
  told.take('p', 'B 1');
  told.take('p', 'I latest 0 0 1 1');
  told.take('p', 'I kept 0 0 1 1');
  told.take('p', 'O latest 0 0 5');
  told.take('p', 'O kept 0 0 7');
  told.reading = 2;
  told.take('p', 'C 1');
  told.take('p', 'D 1');
  const lost = (since: number): string[] => {
    const reader = found([]);
    judge(told, reader, 'read_uncommitted', ALL, since);
    return reader.findings.map(({ says }) => /in (\w+)-0/.exec(says)![1]!);
  };
  expect(lost(1)).toEqual(['kept']);
  expect(lost(2).toSorted()).toEqual(['kept', 'latest']);
});
