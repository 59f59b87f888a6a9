import { expect, test } from 'vitest';

import { recordBatch } from '../../../test/support/record-batch.ts';
import type { LogError, LogErrorCode } from '../errors.ts';
import { afterMarker, checkProducer } from './producer-rules.ts';
import type { ProducerEntry } from './producer-state.ts';

const known: ProducerEntry = {
  epoch: 4,
  batches: [{ firstSequence: 8, lastSequence: 9, baseOffset: 100, lastOffset: 101 }],
  updatedMs: 0,
  lastTimestampMs: 0,
  coordinatorEpoch: -1,
  transactionStart: -1,
};
const open = { ...known, transactionStart: 100 };
/** Brought by a marker: nothing was written in this epoch. */
const ended = afterMarker(known, { producerEpoch: 5, coordinatorEpoch: 0, timestampMs: 0 }, 0);

interface Sent {
  readonly epoch: number;
  readonly sequence: number;
  readonly transactional?: boolean;
  readonly version?: 0 | 1 | 2;
  readonly origin?: 'client' | 'coordinator';
}

const cases: Array<[string, ProducerEntry | undefined, Sent, LogErrorCode | 'taken']> = [
  ['the next sequence', known, { epoch: 4, sequence: 10 }, 'taken'],
  ['a gap', known, { epoch: 4, sequence: 11 }, 'OUT_OF_ORDER_SEQUENCE_NUMBER'],
  ['older than what is remembered', known, { epoch: 4, sequence: 3 }, 'OUT_OF_ORDER_SEQUENCE_NUMBER'],
  ['a lower epoch', known, { epoch: 3, sequence: 10 }, 'INVALID_PRODUCER_EPOCH'],
  ['a higher epoch from sequence 0', known, { epoch: 5, sequence: 0 }, 'taken'],
  ['a higher epoch from elsewhere', known, { epoch: 5, sequence: 10 }, 'OUT_OF_ORDER_SEQUENCE_NUMBER'],
  ['a higher epoch where the known one is -1', { ...known, epoch: -1 }, { epoch: 0, sequence: 10 }, 'taken'],
  ['a producer without state, from anywhere', undefined, { epoch: 0, sequence: 77 }, 'taken'],
  [
    'version 1, without state, from anywhere',
    undefined,
    { epoch: 0, sequence: 77, transactional: true, version: 1 },
    'taken',
  ],
  [
    'version 2, without state, from 0',
    undefined,
    { epoch: 0, sequence: 0, transactional: true, version: 2 },
    'taken',
  ],
  [
    'version 2, without state, from elsewhere',
    undefined,
    { epoch: 0, sequence: 1, transactional: true, version: 2 },
    'OUT_OF_ORDER_SEQUENCE_NUMBER',
  ],
  ['after a marker of a new epoch, from 0', ended, { epoch: 5, sequence: 0 }, 'taken'],
  [
    'after a marker of a new epoch, from elsewhere',
    ended,
    { epoch: 5, sequence: 10 },
    'OUT_OF_ORDER_SEQUENCE_NUMBER',
  ],
  [
    'after a marker of a new epoch, in the old one',
    ended,
    { epoch: 4, sequence: 10 },
    'INVALID_PRODUCER_EPOCH',
  ],
  ['no transaction while one is open', open, { epoch: 4, sequence: 10 }, 'INVALID_TXN_STATE'],
  [
    'the open transaction goes on',
    open,
    { epoch: 4, sequence: 10, transactional: true, version: 1 },
    'taken',
  ],
  [
    'a coordinator, without a sequence',
    known,
    { epoch: 4, sequence: -1, transactional: true, origin: 'coordinator' },
    'taken',
  ],
  [
    'a coordinator for a producer that was fenced',
    known,
    { epoch: 3, sequence: -1, transactional: true, origin: 'coordinator' },
    'INVALID_PRODUCER_EPOCH',
  ],
];

for (const [name, entry, sent, want] of cases) {
  test(`${name}: ${want}`, () => {
    const batch = recordBatch({
      values: ['v'],
      producerId: 1,
      producerEpoch: sent.epoch,
      baseSequence: sent.sequence,
      attributes: sent.transactional ? 0x10 : 0,
    });
    const source = { origin: sent.origin ?? 'client', transactionVersion: sent.version };
    expect(outcome(() => checkProducer(entry, batch, source))).toBe(want);
  });
}

test('a repeat is told its first offset, also while another transaction is open', () => {
  const batch = recordBatch({ values: ['a', 'b'], producerId: 1, producerEpoch: 4, baseSequence: 8 });
  expect(checkProducer(open, batch, { origin: 'client' })).toMatchObject({ baseOffset: 100 });
});

function outcome(check: () => unknown): string {
  try {
    return check() === undefined ? 'taken' : 'repeat';
  } catch (error) {
    return (error as LogError).code;
  }
}
