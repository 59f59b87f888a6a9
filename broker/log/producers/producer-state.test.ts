import { expect, test } from 'vitest';

import { ProducerStates } from './producer-state.ts';

test('a checkpoint without later fields has no transaction open, and the time of arrival as the last timestamp', () => {
  const states = new ProducerStates();
  states.restore([[7, { epoch: 2, batches: [], updatedMs: 500 }]]);
  expect(states.active()).toEqual([
    {
      producerId: 7,
      producerEpoch: 2,
      lastSequence: -1,
      lastTimestampMs: 500,
      coordinatorEpoch: -1,
      transactionStartOffset: -1,
    },
  ]);
});
