import { beforeEach, expect, test } from 'vitest';

import { ConnectionDeadlines, type ConnectionState } from './connection-deadlines.ts';

const IDLE_MS = 600_000;
const LIMITS = {
  firstRequestMs: 10_000,
  firstAuthenticationMs: 20_000,
  requestReceiveMs: 30_000,
  answerSendMs: 60_000,
};
const QUIET: ConnectionState = { isStranger: false, isSending: false, isServed: false, bufferedBytes: 0 };

let deadlines: ConnectionDeadlines;

beforeEach(() => {
  deadlines = new ConnectionDeadlines(LIMITS, 1_000);
});

function reasonAt(nowMs: number, state: Partial<ConnectionState> = {}): string | undefined {
  return deadlines.overdue(nowMs, IDLE_MS, { ...QUIET, ...state });
}

test('the first request has its own time, a later one begins with its first byte', () => {
  expect([reasonAt(11_000), reasonAt(11_001)]).toEqual([undefined, 'slow-sender']);
  deadlines.received();
  expect(reasonAt(500_000)).toBeUndefined();
  deadlines.receiving(500_000);
  deadlines.receiving(520_000);
  expect([reasonAt(530_000), reasonAt(530_001)]).toEqual([undefined, 'slow-sender']);
});

test('who sends 4 KiB a second may send for as long as it takes', () => {
  deadlines.received();
  deadlines.receiving(0);
  expect(reasonAt(100_000, { bufferedBytes: 100 * 4_096 })).toBeUndefined();
  expect(reasonAt(100_000, { bufferedBytes: 100 * 4_096 - 1 })).toBe('slow-sender');
});

test('a stranger has to say who it is, also while it is served', () => {
  deadlines.received();
  const state = { isStranger: true, isServed: true };
  expect([reasonAt(21_000, state), reasonAt(21_001, state)]).toEqual([undefined, 'authentication']);
});

test('the time to take an answer grows with its size', () => {
  deadlines.received();
  deadlines.activeMs = 100_000;
  deadlines.sending(10 * 16 * 1_024);
  const state = { isSending: true, isServed: true };
  expect([reasonAt(170_000, state), reasonAt(170_001, state)]).toEqual([undefined, 'slow-reader']);
});

test('idle is who neither sends nor waits', () => {
  deadlines.received();
  expect([reasonAt(601_000), reasonAt(601_001)]).toEqual([undefined, 'idle']);
  expect(reasonAt(601_001, { isServed: true })).toBeUndefined();
});
