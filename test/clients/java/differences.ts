/** The one table of what we answer otherwise than Apache Kafka 4.4, with the reason. What is not here must be the same. */
export interface Difference {
  readonly scenario: string;
  /** `*`: the whole scenario. */
  readonly step: string;
  /** Only with this client. */
  readonly client?: string;
  readonly reason: string;
}

export const DIFFERENCES: readonly Difference[] = [
  { scenario: 'Produce: codec of the topic', step: '*', reason: 'batches are not compressed anew yet' },
  { scenario: 'Produce: compacted topic', step: '*', reason: 'keys and timestamps are not checked yet' },
  {
    scenario: 'kafka-topics',
    step: '--describe',
    reason: 'min.insync.replicas is no setting of new topics; no DescribeTopicPartitions yet',
  },
  { scenario: 'kafka-topics', step: '--describe --topic orders', reason: 'as --describe' },
  {
    scenario: 'kafka-topics',
    step: '--alter --topic orders --partitions 4',
    reason: 'no CreatePartitions yet',
  },
  {
    scenario: 'kafka-topics',
    step: '--alter --topic orders --partitions 2',
    reason: 'no CreatePartitions yet',
  },
];
