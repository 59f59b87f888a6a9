import type { TransactionEnd } from '../../broker/log/log.ts';
import { recordBatch } from '../support/record-batch.ts';
import { CLIENT, NOW_MS, type SimLog } from './sim-log.ts';

/** As a client sends a batch whose transaction the coordinator knows. */
export const IN_TRANSACTION = { ...CLIENT, transactionVersion: 1 } as const;

export interface Sent {
  readonly producerId: number;
  readonly sequence: number;
  readonly epoch?: number;
  readonly count?: number;
}

export function transactionalBatch({ producerId, sequence, epoch = 0, count = 1 }: Sent): Buffer {
  const values = Array.from({ length: count }, (_, i) => `${producerId}-${sequence + i}`);
  return recordBatch({ values, producerId, producerEpoch: epoch, baseSequence: sequence, attributes: 0x10 });
}

/** @returns the offset */
export async function write(sim: SimLog, sent: Sent): Promise<number> {
  return (await sim.append(sim.partition, transactionalBatch(sent), IN_TRANSACTION)).baseOffset;
}

/** Outside of any transaction. */
export async function writePlain(sim: SimLog): Promise<number> {
  return (await sim.append(sim.partition, recordBatch({ values: ['p'] }))).baseOffset;
}

/** Writes the marker. */
export async function end(
  sim: SimLog,
  producerId: number,
  commit: boolean,
  rest: Partial<TransactionEnd> = {},
): Promise<number> {
  const { baseOffset, durable } = sim.partition.appendMarker(marker(producerId, commit, rest), NOW_MS);
  await sim.settle(durable);
  return baseOffset;
}

export function marker(
  producerId: number,
  commit: boolean,
  rest: Partial<TransactionEnd> = {},
): TransactionEnd {
  return { producerId, producerEpoch: 0, coordinatorEpoch: 0, commit, transactionVersion: 1, ...rest };
}

/** Producer id, first and last offset of each. */
export async function aborted(
  sim: SimLog,
  from = 0,
  to = sim.partition.endOffset,
): Promise<Array<[number, number, number]>> {
  const found = await sim.settle(sim.partition.abortedTransactions(from, to));
  return found.map(({ producerId, firstOffset, lastOffset }) => [producerId, firstOffset, lastOffset]);
}
