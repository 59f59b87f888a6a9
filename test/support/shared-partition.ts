import { acquire, type AcquireRequest } from '../../broker/share/acquire.ts';
import { acknowledge, stored } from '../../broker/share/settle.ts';
import type { DeliveryRules, SharePartition, ShareStep } from '../../broker/share/share-partition.ts';

export const RULES: DeliveryRules = {
  deliveryCountLimit: 3,
  lockDurationMs: 100,
  recordLocksMax: 50,
  deadLetters: false,
};

/** Two batches of the log: 0 to 4 and 5 to 9. */
const LOG: Pick<AcquireRequest, 'from' | 'to' | 'batches'> = {
  from: 0,
  to: 10,
  batches: [
    { first: 0, last: 4 },
    { first: 5, last: 9 },
  ],
};

/** A fetch of the member `a`, if nothing else is given. */
export function take(
  partition: SharePartition,
  given: Partial<AcquireRequest> & { now?: number; rules?: Partial<DeliveryRules> } = {},
) {
  const { now = 0, rules, ...request } = given;
  return acquire(
    partition,
    { memberId: 'a', recordsMax: 100, batchSize: 100, isStrict: false, ...LOG, ...request },
    { ...RULES, ...rules },
    now,
  );
}

/** An acknowledgement by the member `a`. */
export function say(
  partition: SharePartition,
  first: number,
  last: number,
  types: number[],
  rules = RULES,
  now = 0,
) {
  const outcome = acknowledge(partition, 'a', [{ first, last, types }], rules, now);
  if ('errorCode' in outcome) throw new Error(`refused with ${outcome.errorCode}`);
  return outcome;
}

/** What the step has made of the partition, once it is on the disk. */
export function durable(step: ShareStep): SharePartition {
  const [effect] = step.effects;
  if (effect?.kind !== 'store') throw new Error('nothing is to be stored');
  return stored(step.partition, effect.ticket, true).partition;
}

/** Every run in words. */
export function states({ runs }: SharePartition): string {
  return runs
    .map(({ first, last, state, deliveryCount }) => `${first}-${last} ${state} ${deliveryCount}`)
    .join(', ');
}
