/**
 * Everything that a history can be accused of, under the names of Jepsen's checker for Kafka where it has one, and
 * which of it Apache Kafka allows. The one place that says so.
 */
interface Rule {
  readonly legal: 'never' | 'always' | 'when subscribed';
  readonly what: string;
  /** Why Kafka allows it, or what it breaks. */
  readonly why: string;
}

export const ANOMALIES = {
  'lost-write': {
    legal: 'never',
    what: 'acknowledged, never read, although somebody read behind it',
    why: 'an acknowledgement promises the record, and the last stable offset passes no undecided record',
  },
  unseen: {
    legal: 'never',
    what: 'acknowledged, and nobody came as far by the end',
    why: 'readers stopped short for good, e.g. before a transaction that nothing ends',
  },
  duplicate: {
    legal: 'never',
    what: 'one value at two offsets',
    why: 'every producer here is idempotent and sends a value once; repeats of a request are recognised',
  },
  'inconsistent-offsets': {
    legal: 'never',
    what: 'two values at one offset',
    why: 'an offset names one record for good',
  },
  phantom: {
    legal: 'never',
    what: 'read, but sent by nobody',
    why: 'markers and other parts of the log are not data',
  },
  G0: {
    legal: 'always',
    what: 'a cycle of writes: each of two transactions wrote before the other in some partition',
    why: 'transactions are not isolated from each other as writers; their batches lie as they came',
  },
  G1a: {
    legal: 'never',
    what: 'an aborted write read by a read_committed reader',
    why: 'the list of aborted transactions goes with every such answer',
  },
  'torn-transaction': {
    legal: 'never',
    what: 'half of a transaction is there at the end',
    why: 'markers go to all of its partitions or the coordinator is not done. (Takes the place of G1b: nothing is overwritten here, so nothing is intermediate)',
  },
  'precommitted-read': {
    legal: 'never',
    what: 'a transaction read its own write before it was committed',
    why: 'a read_committed reader sees nothing of an open transaction, the own one included',
  },
  G1c: {
    legal: 'never',
    what: 'a cycle of reads: each of some transactions read what another wrote',
    why: 'what is read was committed before, so reading follows time',
  },
  'G1c-ww': {
    legal: 'always',
    what: 'a cycle of reads and writes that needs the order of writes',
    why: 'as G0: a transaction may read what another committed and still lie before it elsewhere',
  },
  'int-send-skip': {
    legal: 'always',
    what: 'between two sends of one transaction to a partition lies a record of another',
    why: 'transactions interleave in a partition',
  },
  'int-nonmonotonic-send': {
    legal: 'never',
    what: 'two sends of one transaction to a partition lie in the other order',
    why: 'sequence numbers keep the order of a producer',
  },
  'nonmonotonic-send': {
    legal: 'never',
    what: 'a later acknowledged send of a process lies before an earlier one',
    why: 'the earlier was acknowledged before the later was sent',
  },
  'int-poll-skip': {
    legal: 'never',
    what: 'a record is left out in the middle of what one operation polled',
    why: 'positions move record by record while nobody moves them',
  },
  'int-nonmonotonic-poll': {
    legal: 'never',
    what: 'one operation polled a record before an earlier one',
    why: 'a partition is read in the order of its offsets',
  },
  'poll-skip': {
    legal: 'when subscribed',
    what: 'a record is left out between two operations of a session',
    why: 'with an assignment nobody moves the position; in a group another member may have read on',
  },
  'nonmonotonic-poll': {
    legal: 'when subscribed',
    what: 'an operation polled what an earlier one of its session had passed',
    why: 'a rebalance goes back to the committed position',
  },
  'consumed-twice': {
    legal: 'never',
    what: 'two committed transactions of a group consumed the same record',
    why: 'the position is part of the transaction, and stale members are fenced',
  },
  'consumed-gap': {
    legal: 'never',
    what: 'a record below the position of a group was consumed by none of its committed transactions',
    why: 'the position moves with the transaction that consumed, or not at all',
  },
} as const satisfies Record<string, Rule>;

export type Anomaly = keyof typeof ANOMALIES;

export interface Finding {
  readonly anomaly: Anomaly;
  readonly legal: boolean;
  readonly says: string;
}

export function finding(anomaly: Anomaly, says: string, by: 'assign' | 'subscribe' = 'assign'): Finding {
  const { legal } = ANOMALIES[anomaly];
  return { anomaly, says, legal: legal === 'always' || (legal === 'when subscribed' && by === 'subscribe') };
}
