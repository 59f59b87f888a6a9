import fc from 'fast-check';
import { expect, test } from 'vitest';

import { OTHER, PLACE, TransactionDriver } from '../../test/support/transaction-driver.ts';
import { keyOf, type Places } from './place.ts';
import { PREDECESSORS, type State, type TransactionValue } from './transaction-value.ts';

const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_122);

/** What clients, time, disk and crashes may do, in any order. */
const ACTIONS = [
  'init',
  'add one',
  'add other',
  'commit',
  'abort',
  'commit classic',
  'stale add',
  'sync one',
  'sync',
  'disk fails',
  'disk fails behind one',
  'crash',
  'crash, one kept',
  'crash, two kept',
  'markers refused',
  'records refused',
  'disk is well',
  'timeout',
] as const;
type Action = (typeof ACTIONS)[number];

/** The small model: what has been promised to clients, checked against the one log. */
class Promises {
  readonly drive: TransactionDriver;
  /** Epochs that InitProducerId gave out. */
  private readonly given = new Set<string>();
  private readonly asked: Array<{
    token: number;
    kind: 'init' | 'add' | 'end';
    key: string;
    commit: boolean;
  }> = [];

  constructor(version: 0 | 2) {
    this.drive = new TransactionDriver(version);
    this.drive.autoSync = false;
  }

  act(action: Action): void {
    const { drive } = this;
    switch (action) {
      case 'init':
        this.ask('init', drive.init());
        break;
      case 'add one':
        this.ask('add', drive.add(), keyOf(PLACE));
        break;
      case 'add other':
        this.ask('add', drive.add({ places: [OTHER] }), keyOf(OTHER));
        break;
      case 'stale add':
        expectRefused(drive, drive.add({ producerEpoch: drive.value.producerEpoch - 1 }));
        break;
      case 'commit':
      case 'abort':
        this.ask('end', drive.end({ commit: action === 'commit' }), '', action === 'commit');
        break;
      case 'commit classic':
        this.ask('end', drive.end({ commit: true, version: 0 }), '', true);
        break;
      case 'sync one':
        drive.sync({ count: 1 });
        break;
      case 'sync':
        drive.sync();
        break;
      case 'disk fails':
        drive.sync({ count: 0, fails: true });
        break;
      case 'disk fails behind one':
        drive.sync({ count: 1, fails: true });
        break;
      case 'crash':
      case 'crash, one kept':
      case 'crash, two kept':
        this.asked.length = 0;
        drive.crash(action === 'crash' ? 0 : action === 'crash, one kept' ? 1 : 2);
        break;
      case 'markers refused':
        drive.refusesMarkers = true;
        break;
      case 'records refused':
        drive.refusesRecords = true;
        break;
      case 'disk is well':
        drive.refusesMarkers = false;
        drive.refusesRecords = false;
        break;
      case 'timeout':
        drive.at(drive.now + 20_000);
        break;
    }
    this.check();
  }

  /** With disk and time going on, nobody waits for ever and nothing stays half ended. */
  settle(): void {
    const { drive } = this;
    drive.refusesMarkers = false;
    drive.refusesRecords = false;
    for (let i = 0; i < 3; i += 1) {
      drive.sync();
      this.check();
      drive.at(drive.now + 1);
    }
    const { storing, marking, ending } = drive.transaction;
    const isAtRest = storing.length === 0 && marking === undefined && ending.length === 0;
    if (!isAtRest || drive.value.state.startsWith('Prepare')) throw new Error('it does not come to rest');
    if (this.asked.length > 0) throw new Error('somebody waits for ever');
  }

  private ask(kind: 'init' | 'add' | 'end', token: number, key = '', commit = false): void {
    this.asked.push({ token, kind, key, commit });
  }

  private check(): void {
    const { drive } = this;
    for (const one of this.asked.splice(0)) {
      const answer = drive.answers.get(one.token);
      if (!answer) this.asked.push(one);
      else if (answer.errorCode === 0) this.keeps(one, answer);
    }
    checkLog(drive);
  }

  private keeps(
    { kind, key, commit }: { kind: string; key: string; commit: boolean },
    { producerId, producerEpoch }: { producerId: number; producerEpoch: number },
  ): void {
    const durable = this.drive.transaction.durable!;
    if (kind === 'init') {
      const producer = `${producerId}/${producerEpoch}`;
      if (this.given.has(producer)) throw new Error(`the producer ${producer} was given out twice`);
      this.given.add(producer);
    } else if (kind === 'add' && !durable.partitions.has(key)) {
      throw new Error(`${key} was added, but is not durable`);
    } else if (kind === 'end' && durable.state.endsWith('Commit') !== commit) {
      throw new Error(`answered for ${commit ? 'a commit' : 'an abort'}, but durable is ${durable.state}`);
    }
  }
}

function expectRefused(drive: TransactionDriver, token: number): void {
  if (drive.code(token) === 0) throw new Error('a former epoch was let in');
}

/** Every transition is legal, an end has one direction, and all its partitions hear of it before it is complete. */
function checkLog({ durable, pending }: TransactionDriver): void {
  let state: State = 'Empty';
  let open: Places = new Map();
  let prepared: TransactionValue | undefined;
  let marked = false;
  for (const one of [...durable, ...pending]) {
    if (one.kind === 'markers') {
      if (!prepared) throw new Error('markers of a transaction that is not prepared');
      if (one.markers.commit !== (prepared.state === 'PrepareCommit'))
        throw new Error('markers of the other kind');
      for (const key of open.keys()) {
        if (!one.markers.places.has(key)) throw new Error(`${key} does not hear of the end`);
      }
      marked = true;
      continue;
    }
    const next = one.value!;
    if (!PREDECESSORS[next.state].includes(state)) throw new Error(`${next.state} behind ${state}`);
    if (next.state === 'Ongoing') open = next.partitions;
    if (next.state.startsWith('Prepare')) [prepared, marked] = [next, false];
    if (next.state.startsWith('Complete')) {
      if (!marked) throw new Error('complete without markers');
      [prepared, open] = [undefined, new Map()];
    }
    ({ state } = next);
  }
}

test('exhaustively: no three steps from Ongoing or from an end on its way break a promise, and all come to rest', () => {
  const beginnings: readonly Action[][] = [
    ['init', 'sync', 'add one', 'sync'],
    ['init', 'sync', 'add one', 'sync', 'commit'],
  ];
  const problems: string[] = [];
  let runs = 0;
  const go = (version: 0 | 2, actions: readonly Action[], left: number): void => {
    if (left > 0) {
      for (const action of ACTIONS) go(version, [...actions, action], left - 1);
      return;
    }
    runs += 1;
    try {
      const promises = new Promises(version);
      for (const action of actions) promises.act(action);
      promises.settle();
    } catch (error) {
      problems.push(`version ${version}: ${actions.join(', ')}: ${String(error)}`);
    }
  };
  for (const version of [0, 2] as const) for (const beginning of beginnings) go(version, beginning, 3);
  expect(problems.slice(0, 3)).toEqual([]);
  expect(runs).toBe(4 * ACTIONS.length ** 3);
});

test('no long sequence of requests, time, crashes and disk failures breaks a promise', () => {
  const { counterexample } = fc.check(
    fc.property(
      fc.array(fc.constantFrom(...ACTIONS), { maxLength: 40 }),
      fc.constantFrom(0 as const, 2 as const),
      (actions, version) => {
        const promises = new Promises(version);
        // The coordinator knows no id without a first InitProducerId.
        promises.act('init');
        promises.act('sync');
        for (const action of actions) promises.act(action);
        promises.settle();
      },
    ),
    { seed, numRuns: 1_500 },
  );
  expect(counterexample).toBeNull();
});
